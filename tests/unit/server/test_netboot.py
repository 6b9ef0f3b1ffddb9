"""Boot files over HTTP, the TFTP root, PXE files."""

import shutil
import socket
from pathlib import Path

import msgspec
import pytest
from publishing import make_image, publish
from serving import Running, build_settings, run_in_thread

from bootos.errors import BootosError
from bootos.loader import LOADERS
from bootos.server.image.shelf import Shelf
from bootos.server.netboot.boot_file import parse_range
from bootos.server.netboot.loader import find_offer
from bootos.server.netboot.pxe_directory import PxeDirectory
from bootos.server.netboot.pxe_file import (
    FILE,
    file_name,
    parse_mac,
    render,
)
from bootos.server.netboot.tree import NetbootTree, render_default
from bootos.server.settings import Settings

DOCUMENTED = """\
DEFAULT menu.c32
PROMPT 0
TIMEOUT 30

LABEL bootos
MENU LABEL ^BootOS
MENU DEFAULT
KERNEL http://osinstall.idcos.com/bootos/vmlinuz
APPEND initrd=http://osinstall.idcos.com/bootos/initrd.img console=tty0 selinux=0 biosdevname=0 SERVER_ADDR=http://osinstall.idcos.com DEVELOPER=1
IPAPPEND 2
"""  # noqa: E501


def test_the_default_file_has_the_documented_form() -> None:
    assert render_default("http://osinstall.idcos.com", " DEVELOPER=1 ") == DOCUMENTED
    assert " DEVELOPER" not in render_default("http://osinstall.idcos.com", "")


def test_the_default_file_follows_the_settings_until_it_is_edited(settings: Settings) -> None:
    settings.pxe_directory.mkdir(parents=True)
    path = settings.pxe_directory / "default"
    assert NetbootTree(settings, "http://a", Shelf(settings)).write_default()
    assert NetbootTree(settings, "http://b", Shelf(settings)).write_default()
    assert "http://b/" in path.read_text()
    path.write_text(path.read_text() + "# mine\n")
    assert not NetbootTree(settings, "http://c", Shelf(settings)).write_default()
    assert "# mine" in path.read_text()
    path.unlink()
    assert NetbootTree(settings, "http://c", Shelf(settings)).write_default()
    assert "http://c/" in path.read_text()


def make_host(root: Path) -> Path:
    for name, (source, _) in LOADERS.items():
        file = root / source
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return root


def test_the_boot_loaders_are_copied(settings: Settings, tmp_path: Path) -> None:
    settings.pxe_directory.mkdir(parents=True)
    wanted = msgspec.structs.replace(settings, tftp=True)
    NetbootTree(wanted, "http://a", Shelf(settings)).lay_out(host_root=make_host(tmp_path / "host"))
    configuration = {"pxelinux.cfg", "grub", "ipxe", "boot.ipxe", "kexec.sh", "bootos"}
    assert {path.name for path in settings.tftp_root.iterdir()} == {*LOADERS, *configuration}
    assert {"lpxelinux.0", "menu.c32", "ldlinux.c32", "libutil.c32", "libcom32.c32"} <= set(LOADERS)


def test_missing_boot_loaders_are_an_error_only_when_they_are_asked_for(
    settings: Settings, tmp_path: Path
) -> None:
    settings.pxe_directory.mkdir(parents=True)
    NetbootTree(msgspec.structs.replace(settings, tftp=None), "http://a", Shelf(settings)).lay_out(
        host_root=tmp_path
    )
    assert (settings.pxe_directory / "default").is_file()
    with pytest.raises(BootosError) as caught:
        NetbootTree(msgspec.structs.replace(settings, tftp=True), "http://a", Shelf(settings)).lay_out(
            host_root=tmp_path
        )
    assert (
        "apt-get install grub-efi-amd64-signed ipxe pxelinux shim-signed syslinux-common" in caught.value.hint
    )


def test_one_missing_boot_loader_does_not_keep_the_others_away(settings: Settings, tmp_path: Path) -> None:
    settings.pxe_directory.mkdir(parents=True)
    host = make_host(tmp_path / "host")
    (host / LOADERS["ipxe.efi"].path).unlink()
    NetbootTree(msgspec.structs.replace(settings, tftp=None), "http://a", Shelf(settings)).lay_out(
        host_root=host
    )
    assert (settings.tftp_root / "shimx64.efi").is_file()
    assert not (settings.tftp_root / "ipxe.efi").exists()


def test_what_the_operator_edited_is_what_ipxe_and_grub_boot(settings: Settings) -> None:
    settings.pxe_directory.mkdir(parents=True)
    NetbootTree(settings, "http://a", Shelf(settings)).lay_out()
    path = settings.pxe_directory / "default"
    path.write_text(path.read_text().replace("selinux=0", "selinux=0 EDITED=1"))
    NetbootTree(settings, "http://b", Shelf(settings)).lay_out()
    for name in ("grub/grub.cfg", "boot.ipxe", "kexec.sh"):
        text = (settings.tftp_root / name).read_text()
        assert "EDITED=1" in text and "http://a" in text


def test_the_loaders_of_the_default_image_come_before_those_of_the_host(
    settings: Settings, tmp_path: Path
) -> None:
    settings.pxe_directory.mkdir(parents=True)
    make_image(
        settings.boot_files, "local", loaders={"shimx64.efi": b"of the image", "boot.ipxe": b"no loader"}
    )
    host = make_host(tmp_path / "host")
    NetbootTree(msgspec.structs.replace(settings, tftp=True), "http://a", Shelf(settings)).lay_out(
        host_root=host
    )
    assert (settings.tftp_root / "shimx64.efi").read_bytes() == b"of the image"
    assert (settings.tftp_root / "ipxe.efi").read_bytes() == b"ipxe.efi"
    assert (settings.tftp_root / "boot.ipxe").read_text().startswith("#!ipxe")


def test_the_loaders_are_those_of_the_default_image(settings: Settings, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(settings, tftp=None)
    server, stop = run_in_thread(settings)
    loader = settings.tftp_root / "ipxe.efi"
    try:
        make_image(tmp_path / "a", "a", loaders={"ipxe.efi": b"a's"})
        publish(server, tmp_path / "a", default=True)
        assert loader.read_bytes() == b"a's"
        version = make_image(tmp_path / "b", "b", loaders={"ipxe.efi": b"b's"})
        publish(server, tmp_path / "b")
        assert loader.read_bytes() == b"a's"
        server.operate("POST", f"/images/{version}/default")
        assert loader.read_bytes() == b"b's"
        server.operate("POST", "/images/rollback")
        assert loader.read_bytes() == b"a's"
    finally:
        stop()


def test_what_reads_its_configuration_at_each_boot_is_told_the_version(
    server: Running, tmp_path: Path
) -> None:
    root, url = server.context.settings.tftp_root, server.context.public_url
    names = ("grub/grub.cfg", "boot.ipxe")
    make_image(server.context.settings.boot_files, "local")

    def read(name: str) -> str:
        return (root / name).read_text()

    before = {name: read(name) for name in names}
    fixed = {name: read(name) for name in ("pxelinux.cfg/default", "kexec.sh")}
    version = make_image(tmp_path / "a", "a")
    publish(server, tmp_path / "a", default=True)
    for name in names:
        for file in ("vmlinuz", "initrd.img"):
            assert f"/bootos/images/{version}/{file}" in read(name), name
            assert f"/bootos/{file}" not in read(name), name
    assert f"{url}/bootos/vmlinuz" in fixed["pxelinux.cfg/default"]
    assert {name: read(name) for name in fixed} == fixed
    server.operate("POST", "/images/rollback")
    assert {name: read(name) for name in names} == before


def fill_tftp_root(settings: Settings, *without: str) -> None:
    settings.tftp_root.mkdir(parents=True)
    for name in set(LOADERS) - set(without):
        (settings.tftp_root / name).write_bytes(b"GET %s HTTP/1.1\r\nHost: %s\r\n")


def test_http_boot_gets_the_signed_grub_only_where_it_reads_http(settings: Settings) -> None:
    fill_tftp_root(settings)
    assert find_offer(settings).http == "shimx64.efi"
    (settings.tftp_root / "grubx64.efi").write_bytes(b"MZ tftp")
    assert find_offer(settings).http == "ipxe.efi"


@pytest.mark.parametrize(
    ("missing", "paths", "packages"),
    [
        ("menu.c32", ("", "shimx64.efi", "shimx64.efi"), ["syslinux-common"]),
        ("shimx64.efi", ("lpxelinux.0", "", "ipxe.efi"), ["shim-signed"]),
        ("grubx64.efi", ("lpxelinux.0", "", "ipxe.efi"), ["grub-efi-amd64-signed"]),
        ("ipxe.efi", ("lpxelinux.0", "shimx64.efi", "shimx64.efi"), []),
    ],
)
def test_a_missing_loader_takes_only_its_own_boot_paths_away(
    settings: Settings, missing: str, paths: tuple[str, str, str], packages: list[str]
) -> None:
    fill_tftp_root(settings, missing)
    offer = find_offer(settings)
    assert (offer.bios, offer.uefi, offer.http) == paths
    assert len(offer.problems) == len(packages)
    for problem, package in zip(offer.problems, packages, strict=True):
        assert f"{missing} is not in {settings.tftp_root}: take an image" in problem
        assert f"apt-get install {package} and" in problem


def test_a_grub_that_loads_by_tftp_gets_what_is_served_by_http(server: Running, tmp_path: Path) -> None:
    settings = server.context.settings
    root = settings.tftp_root / "bootos"
    local = make_image(settings.boot_files, "local") and "local"
    first, second = make_image(tmp_path / "a", "a"), make_image(tmp_path / "b", "b")
    (settings.files / "linux").write_bytes(b"installer")
    publish(server, tmp_path / "a", default=True)
    publish(server, tmp_path / "b", default=True)

    def check(*paths: str) -> None:
        for path in paths:
            assert (root / path).read_bytes() == server.request("GET", f"/bootos/{path}").data, path

    every = [
        f"images/{version}/{name}" for version in (local, first, second) for name in ("vmlinuz", "initrd.img")
    ]
    check("vmlinuz", "initrd.img", "files/linux", *every)
    assert (root / "vmlinuz").read_bytes() == (tmp_path / "b" / "vmlinuz").read_bytes()
    server.operate("POST", "/images/rollback")
    assert (root / "initrd.img").read_bytes() == (tmp_path / "a" / "initrd.img").read_bytes()
    server.operate("DELETE", f"/images/{second}")
    assert {path.name for path in (root / "images").iterdir()} == {local, first}
    server.operate("POST", "/images/rollback")
    assert (root / "vmlinuz").read_bytes() == (settings.boot_files / "vmlinuz").read_bytes()


def test_what_somebody_put_into_the_tftp_root_stays(server: Running) -> None:
    context = server.context
    root = context.settings.tftp_root / "bootos"
    root.mkdir(parents=True, exist_ok=True)
    (root / "vmlinuz").unlink(missing_ok=True)
    (root / "vmlinuz").write_text("own")
    context.tree.link_images()
    assert (root / "vmlinuz").read_text() == "own"
    (root / "vmlinuz").unlink()
    context.tree.link_images()
    assert (root / "vmlinuz").readlink() == context.settings.boot_files.absolute() / "vmlinuz"


def test_tftp_has_nothing_of_files_while_a_link_leads_out_of_them(server: Running, tmp_path: Path) -> None:
    context = server.context
    files, link = context.settings.files, context.settings.tftp_root / "bootos/files"
    (files / "in").mkdir()
    (files / "in/own").write_text("own")
    (files / "in/link").symlink_to("own")
    (files / "in/round").symlink_to("round")
    assert context.tree.link_files() == ""
    assert (link / "in/link").read_text() == "own"
    for outward in (files / "in/outward", files / "outward"):
        outward.symlink_to(tmp_path)
        assert context.tree.link_files().startswith(
            f"{outward} leads out of files/: nothing of files/ is served"
        )
        context.tree.link_images()
        assert not link.is_symlink()
        outward.unlink()
        assert context.tree.link_files() == ""
        context.tree.link_images()
        assert (link / "in/own").read_text() == "own"
    shutil.rmtree(files / "in")


def test_a_start_says_that_a_link_leads_out_of_files(tmp_path: Path) -> None:
    settings = build_settings(tmp_path)
    settings.files.mkdir(parents=True)
    (settings.files / "outward").symlink_to("/etc/passwd")
    server, stop = run_in_thread(settings)
    try:
        (sentence,) = server.operate("GET", "/health")["sentences"]
        assert sentence["what"] == "files" and "files/outward leads out of files/" in sentence["detail"]
        assert not (settings.tftp_root / "bootos/files").exists()
    finally:
        stop()


def test_pxe_files_are_named_by_mac() -> None:
    assert file_name("52:54:00:ab:cd:ef") == "01-52-54-00-ab-cd-ef"
    assert FILE.fullmatch("01-52-54-00-ab-cd-ef")


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        (" 52-54-00-AB-CD-EF ", "52:54:00:ab:cd:ef"),
        ("ff:ff:ff:ff:ff:ff", None),
        ("52:54:00:ab:cd", None),
        ("52:54:00:ab:cd:ef:01", None),
        ("52:54:00:ab:cd:eg", None),
    ],
)
def test_mac_addresses_are_read_strictly(text: str, mac: str | None) -> None:
    assert parse_mac(text) == mac


def test_only_known_placeholders_are_filled() -> None:
    assert render("{sn} {SN} ${sn2} {x}\r\n{mac}", {"sn": "{mac}", "mac": "m"}) == "{mac} {SN} ${sn2} {x}\nm"


def test_only_per_mac_files_are_removed(tmp_path: Path) -> None:
    pxe = PxeDirectory(tmp_path / "pxelinux.cfg")
    for name in ("default", "01-52-54-00-ab-cd-ef", "01-52-54-00-ab-cd-ff"):
        pxe.write(name, "LABEL x\nKERNEL http://a/k\n")
    pxe.remove(["default", "../x", "01-52-54-00-ab-cd-ef", "01-52-54-00-00-00-00"])
    for directory in ("pxelinux.cfg", "grub", "ipxe"):
        names = sorted(path.name for path in (tmp_path / directory).iterdir())
        assert names == ["01-52-54-00-ab-cd-ff", "default"]
    assert "linux (http,a)/k" in (tmp_path / "grub/01-52-54-00-ab-cd-ff").read_text()
    assert "kernel http://a/k" in (tmp_path / "ipxe/01-52-54-00-ab-cd-ff").read_text()


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-9", (0, 9)),
        ("bytes=90-", (90, 99)),
        ("bytes=90-500", (90, 99)),
        ("bytes=-10", (90, 99)),
        ("bytes=-500", (0, 99)),
        ("bytes=100-", False),
        ("bytes=-0", False),
        ("bytes=9-1", None),
        ("bytes=0-1,5-6", None),
        ("bytes=-", None),
        ("lines=1-2", None),
    ],
)
def test_byte_ranges(header: str, found: object) -> None:
    assert parse_range(header, 100) == found


@pytest.fixture
def content(server: Running) -> bytes:
    data = bytes(range(256)) * 12000  # more than two chunks
    server.context.settings.boot_files.mkdir()
    (server.context.settings.boot_files / "initrd.img").write_bytes(data)
    (server.context.settings.boot_files / "empty").write_bytes(b"")
    return data


def test_boot_files_are_served_whole_and_in_part(server: Running, content: bytes) -> None:
    answer = server.request("GET", "/bootos/initrd.img")
    assert answer.data == content
    assert answer.headers["content-length"] == str(len(content))
    part = server.request("GET", "/bootos/initrd.img", headers={"Range": "bytes=1000000-2000000"})
    assert (part.status, part.data) == (206, content[1000000:2000001])
    assert part.headers["content-range"] == f"bytes 1000000-2000000/{len(content)}"
    stale = {"Range": "bytes=0-1", "If-Range": '"other"'}
    assert server.request("GET", "/bootos/initrd.img", headers=stale).status == 200
    beyond = server.request("GET", "/bootos/initrd.img", headers={"Range": "bytes=99999999-"})
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(content)}")
    known = {"If-None-Match": answer.headers["etag"]}
    assert server.request("GET", "/bootos/initrd.img", headers=known).status == 304


def test_the_length_is_told_with_capitals_as_grub_compares_it(server: Running, content: bytes) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"HEAD /bootos/initrd.img HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = connection.makefile("rb").read()
    assert f"\r\nContent-Length: {len(content)}\r\n".encode() in answer


def test_head_tells_the_length_and_sends_nothing(server: Running, content: bytes) -> None:
    answer = server.request("HEAD", "/bootos/initrd.img")
    assert (answer.status, answer.headers["content-length"], answer.data) == (200, str(len(content)), b"")
    empty = server.request("GET", "/bootos/empty")
    assert (empty.status, empty.headers["content-length"]) == (200, "0")


def test_operators_own_files_are_served(server: Running) -> None:
    (server.context.settings.files / "hooks").mkdir()
    (server.context.settings.files / "hooks" / "pre.sh").write_text("#!/bin/sh\n")
    assert server.request("GET", "/bootos/files/hooks/pre.sh").data == b"#!/bin/sh\n"
    assert server.request("GET", "/bootos/files/hooks").status == 404
    assert server.request("POST", "/bootos/files/hooks/pre.sh", b"x").status == 405


def test_the_tftp_root_is_served_by_http_and_grub_finds_its_own(server: Running) -> None:
    server.context.settings.pxe_directory.mkdir(parents=True, exist_ok=True)
    NetbootTree(server.context.settings, "http://a", server.context.shelf).lay_out()
    expected = (server.context.settings.tftp_root / "grub/grub.cfg").read_bytes()
    assert server.request("GET", "/bootos/netboot/grub/grub.cfg").data == expected
    assert server.request("GET", "/grub/grub.cfg").data == expected
    assert server.request("GET", "/grub/x86_64-efi/grub.cfg").status == 404
    assert server.request("GET", "/bootos/netboot/boot.ipxe").data.startswith(b"#!ipxe\n")


@pytest.mark.parametrize(
    "path",
    ["", "/", "/none", "/files", "/../secret.key", "/files/../operator.token", "/files/..%2foperator.token",
     "/files/%2e%2e/operator.token", "//etc/passwd", "/.hidden", "/files//x", "/a%00b"],
)  # fmt: skip
def test_nothing_else_is_served(server: Running, path: str) -> None:
    import http.client

    (server.context.settings.files / ".hidden").write_text("x")
    host = server.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=20)  # urllib3 would tidy the path
    connection.request("GET", "/bootos" + path)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status in (404, 400)
    assert server.context.operator_token.encode() not in body
    connection.close()
