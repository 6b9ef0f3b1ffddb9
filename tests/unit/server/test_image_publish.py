"""Images are taken in whole or not at all, and machines load one of them whole."""

import json
import os
import socket
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from browsing import read_every_page
from publishing import begin, make_image, publish, run_bootos, send_files, send_piece
from serving import Agent, Running, run_in_thread

from bootos.errors import BootosError
from bootos.server.command.client import Client
from bootos.server.command.publication import PIECE_BYTES, hand_over, send_file
from bootos.server.image.manifest import list_files, parse_manifest
from bootos.server.image.signature import create_key, sign
from bootos.server.settings import Settings
from bootos.wire.manifest import REQUIRED, FileEntry, Manifest


def load(server: Running, path: str) -> bytes:
    response = server.request("GET", f"/bootos/{path}")
    assert response.status == 200, (path, response.status)
    return bytes(response.data)


def find(server: Running, version: str) -> Any:
    return next(row for row in server.operate("GET", "/images") if row["version"] == version)


def test_the_server_reads_what_the_build_writes() -> None:
    entry = FileEntry(name="vmlinuz", size_bytes=1, sha256="0" * 64)
    built = Manifest(
        schema=1,
        name="bootos",
        version="0.1.0-0123456789ab",
        bootos_version="0.1.0",
        recipe_sha256="",
        kernel_release="6.12",
        kernel_modules=1,
        firmware_files=1,
        files=(entry, FileEntry(name="initrd.img", size_bytes=2, sha256="1" * 64)),
        segments=(entry,),
        root_uncompressed_bytes=1,
        packages={},
        loaders=(FileEntry(name="ipxe.efi", size_bytes=3, sha256="2" * 64),),
    )
    read = parse_manifest(msgspec.json.encode(built))
    assert (read.version, read.size_bytes) == ("0.1.0-0123456789ab", 3)
    assert [entry.name for entry in list_files(read)] == ["vmlinuz", "initrd.img", "loaders/ipxe.efi"]


def test_a_published_image_is_served_by_its_version_and_is_no_default_yet(
    server: Running, tmp_path: Path
) -> None:
    make_image(server.context.settings.boot_files, "local")
    version = make_image(tmp_path / "a", "a")
    view = publish(server, tmp_path / "a", note="first")
    assert (view["version"], view["note"], view["is_default"]) == (version, "first", False)
    assert load(server, f"images/{version}/initrd.img") == (tmp_path / "a/initrd.img").read_bytes()
    assert load(server, "initrd.img") == (server.context.settings.boot_files / "initrd.img").read_bytes()
    assert (
        load(server, "images/local/vmlinuz") == (server.context.settings.boot_files / "vmlinuz").read_bytes()
    )


def test_a_new_note_of_a_published_image_stands_in_the_audit_log(server: Running, tmp_path: Path) -> None:
    version = make_image(tmp_path / "a", "a")
    publish(server, tmp_path / "a", note="first")
    assert server.operate("POST", f"/images/{version}/publish", {"note": "second"})["note"] == "second"
    server.operate("POST", f"/images/{version}/publish", {})
    lines = [line for line in server.operate("GET", "/audit") if line["action"] == "image.publish"]
    assert [(line["subject"], line["detail"]) for line in lines] == [(version, "second"), (version, "first")]


def test_a_file_that_becomes_shorter_while_it_is_sent_ends_the_publication(
    server: Running, tmp_path: Path
) -> None:
    version = make_image(tmp_path / "a", "a", size_bytes=2 * PIECE_BYTES)
    begin(server, tmp_path / "a")
    path = tmp_path / "a/initrd.img"
    state = {"name": "initrd.img", "size_bytes": path.stat().st_size, "have_bytes": 0}
    client = Client(server.site, server.context.operator_token)

    def shorten(sent: float) -> None:
        os.truncate(path, PIECE_BYTES)

    with pytest.raises(BootosError, match="has become shorter while it was sent"):
        send_file(client, version, path, state, shorten)


def test_a_half_uploaded_image_is_never_served_and_goes_on_where_it_stopped(
    server: Running, tmp_path: Path
) -> None:
    version = make_image(tmp_path / "a", "a")
    content = (tmp_path / "a/initrd.img").read_bytes()
    assert [state["have_bytes"] for state in begin(server, tmp_path / "a").data["files"]] == [0, 0]
    assert send_piece(server, version, "initrd.img", 0, content[:1000]).data["have_bytes"] == 1000
    assert server.request("GET", f"/bootos/images/{version}/initrd.img").status == 404
    assert server.request("GET", f"/bootos/images/.upload/{version}/initrd.img").status == 404
    answer = server.refuse("POST", f"/images/{version}/publish", {"default": True})
    assert (answer.status, "is not complete" in answer.data["error"]) == (409, True)
    assert server.operate("GET", "/images")[0]["version"] == "local"
    states = begin(server, tmp_path / "a").data["files"]
    assert [state["have_bytes"] for state in states] == [0, 1000]
    sent = send_files(server, tmp_path / "a", states, version)
    assert sent == len(content) - 1000 + (tmp_path / "a/vmlinuz").stat().st_size
    server.operate("POST", f"/images/{version}/publish", {"default": True})
    assert load(server, "initrd.img") == content


def test_a_file_that_is_not_the_manifests_is_dropped_and_nothing_is_published(
    server: Running, tmp_path: Path
) -> None:
    version = make_image(tmp_path / "a", "a")
    image = tmp_path / "a/initrd.img"
    right = image.read_bytes()
    image.write_bytes(right[:-1] + b"!")
    send_files(server, tmp_path / "a", begin(server, tmp_path / "a").data["files"], version)
    answer = server.refuse("POST", f"/images/{version}/publish", {})
    assert (answer.status, "its sha256 differs" in answer.data["error"]) == (422, True)
    assert server.request("GET", f"/bootos/images/{version}/vmlinuz").status == 404
    image.write_bytes(right)
    assert publish(server, tmp_path / "a")["version"] == version


def test_a_file_that_is_not_the_manifests_is_not_even_sent(server: Running, tmp_path: Path) -> None:
    make_image(tmp_path / "a", "a")
    image = tmp_path / "a/initrd.img"
    image.write_bytes(image.read_bytes()[:-1] + b"!")
    done = run_bootos(server, "image", "publish", str(tmp_path / "a"))
    assert f"{image} is not the file that its manifest names" in str(done.exception)
    states = {state["name"]: state["have_bytes"] for state in begin(server, tmp_path / "a").data["files"]}
    assert states == {"vmlinuz": (tmp_path / "a/vmlinuz").stat().st_size, "initrd.img": 0}


def test_a_manifest_that_the_server_cannot_read_is_named(server: Running, tmp_path: Path) -> None:
    make_image(tmp_path / "a", "a")
    (tmp_path / "a/manifest.json").write_text("{")
    done = run_bootos(server, "image", "publish", str(tmp_path / "a"))
    assert str(done.exception).startswith(f"{tmp_path}/a/manifest.json: the manifest cannot be read")


def test_a_piece_beyond_the_manifests_size_is_refused(server: Running, tmp_path: Path) -> None:
    version = make_image(tmp_path / "a", "a")
    begin(server, tmp_path / "a")
    assert send_piece(server, version, "vmlinuz", 0, b"x" * 100_000).status == 422
    assert send_piece(server, version, "../../operator.token", 0, b"x").status == 404


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": ""}, "built by an older release"),
        ({"version": "../x"}, "cannot be the version"),
        ({"version": "local"}, "cannot be the version"),
        ({"schema": 2}, "this server knows 1"),
        ({"schema": 0}, "this server knows 1"),
        ({"name": ""}, "is missing"),
        ({"files": []}, "there is no vmlinuz"),
        ({"files": [{"name": "../x", "size_bytes": 1, "sha256": "0" * 64}]}, "no plain file name"),
        ({"layers": [{"name": "../../x", "pci_ids": ["8086:1"]}]}, "no plain file name"),
        ({"loaders": [{"name": "../x.efi", "size_bytes": 1, "sha256": "0" * 64}]}, "no plain file name"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused_with_the_place(
    server: Running, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    make_image(tmp_path / "a", "a")
    path = tmp_path / "a/manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    answer = begin(server, tmp_path / "a")
    assert answer.status == 422
    assert said in str(answer.data["problems"])


@pytest.mark.parametrize("signature", ["x", "½", "\0", "Zm9v Zm9v"])
def test_a_signature_that_is_no_base64_is_refused(server: Running, tmp_path: Path, signature: str) -> None:
    make_image(tmp_path / "a", "a")
    manifest = (tmp_path / "a/manifest.json").read_text()
    answer = server.refuse("POST", "/images", {"manifest": manifest, "signature": signature})
    assert answer.status == 422
    assert "the signature is not base64" in answer.data["error"]


def test_the_same_version_with_other_files_is_refused_and_with_the_same_is_there_already(
    server: Running, tmp_path: Path
) -> None:
    version = make_image(tmp_path / "a", "a")
    publish(server, tmp_path / "a")
    assert begin(server, tmp_path / "a").data["is_published"] is True
    make_image(tmp_path / "b", "b")
    path = tmp_path / "b/manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": version}))
    assert begin(server, tmp_path / "b").status == 409


def test_what_is_damaged_on_the_server_is_healed_by_publishing_it_again(
    server: Running, tmp_path: Path
) -> None:
    version = make_image(tmp_path / "a", "a", layers={"igb": b"squashfs" * 1000})
    publish(server, tmp_path / "a", default=True)
    stored = server.context.settings.images / version
    content = (stored / "initrd.img").read_bytes()
    (stored / "initrd.img").write_bytes(content[:-1] + b"!")
    (stored / "layers/igb.squashfs").unlink()
    done = run_bootos(server, "image", "publish", str(tmp_path / "a"))
    assert done.exit_code == 0, done.output
    assert "was damaged on the server (initrd.img, layers/igb.squashfs) and is whole again" in done.output
    assert load(server, "initrd.img") == content
    assert load(server, f"images/{version}/layers/igb.squashfs") == b"squashfs" * 1000
    kept = (stored / "vmlinuz").stat().st_ino, (stored / "initrd.img").stat().st_ino
    assert begin(server, tmp_path / "a").data["is_published"] is True
    (stored / "initrd.img").write_bytes(content[:5])
    answer = begin(server, tmp_path / "a").data
    assert (answer["damaged"], [state["have_bytes"] for state in answer["files"]]) == (
        ["initrd.img"],
        [(stored / "vmlinuz").stat().st_size, 0, 8000],
    )
    publish(server, tmp_path / "a")
    assert (stored / "initrd.img").read_bytes() == content
    assert [(stored / name).stat().st_ino == inode for name, inode in zip(REQUIRED, kept, strict=True)] == [
        True,
        False,
    ], "what is good stays where it is"


def test_a_manifest_that_is_damaged_on_the_server_is_healed_and_nothing_is_sent(
    server: Running, tmp_path: Path
) -> None:
    version = make_image(tmp_path / "a", "a")
    publish(server, tmp_path / "a")
    (server.context.settings.images / version / "manifest.json").write_bytes(b"{")
    with server.context.store.read() as session:
        server.context.shelf.read_stock(session)
    assert "publish it again" in find(server, version)["problem"]
    answer = begin(server, tmp_path / "a").data
    assert answer["damaged"] == ["manifest.json"]
    assert send_files(server, tmp_path / "a", answer["files"], version) == 0
    publish(server, tmp_path / "a")
    assert find(server, version)["problem"] == ""
    assert load(server, f"images/{version}/initrd.img") == (tmp_path / "a/initrd.img").read_bytes()


def test_another_content_does_not_heal_a_damaged_version(server: Running, tmp_path: Path) -> None:
    version = make_image(tmp_path / "a", "a")
    publish(server, tmp_path / "a")
    (server.context.settings.images / version / "initrd.img").write_bytes(b"damaged")
    make_image(tmp_path / "b", "b")
    path = tmp_path / "b/manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": version}))
    assert begin(server, tmp_path / "b").status == 409


def test_of_an_image_with_one_more_layer_only_the_layer_is_sent(server: Running, tmp_path: Path) -> None:
    version = make_image(tmp_path / "a", "a")
    publish(server, tmp_path / "a", default=True)
    assert make_image(tmp_path / "a", "a", layers={"igb": b"squashfs" * 1000}) == version
    answer = begin(server, tmp_path / "a")
    assert send_files(server, tmp_path / "a", answer.data["files"], version) == 8000
    assert server.operate("POST", f"/images/{version}/publish", {})["layers"] == ["igb"]
    assert load(server, f"images/{version}/layers/igb.squashfs") == b"squashfs" * 1000
    assert load(server, "layers/igb.squashfs") == b"squashfs" * 1000
    assert load(server, f"images/{version}/initrd.img") == (tmp_path / "a/initrd.img").read_bytes()
    for asked in (f"?image={version}", "?image=0.0.9-old", ""):
        (offer,) = server.call("GET", f"/api/v2/agent/layers{asked}").data
        assert load(server, offer["path"]) == b"squashfs" * 1000


def test_two_who_publish_the_same_version_at_once_both_succeed(server: Running, tmp_path: Path) -> None:
    version = make_image(tmp_path / "a", "a", size_bytes=3_000_000)
    done: list[str] = []

    def run() -> None:
        client = Client(server.site, server.context.operator_token)
        handed, _ = hand_over(client, tmp_path / "a")
        done.append(client.call("POST", "images", handed, "publish", body={})["version"])

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert done == [version, version]
    assert load(server, f"images/{version}/initrd.img") == (tmp_path / "a/initrd.img").read_bytes()


def test_a_machine_that_loads_while_the_default_changes_gets_kernel_and_initrd_of_one_image(
    server: Running, tmp_path: Path
) -> None:
    """A slow reader: it has read the kernel and half of the initrd when the default is another one."""
    make_image(tmp_path / "a", "a", size_bytes=20_000_000)
    make_image(tmp_path / "b", "b")
    publish(server, tmp_path / "a", default=True)
    publish(server, tmp_path / "b")
    kernel = load(server, "vmlinuz")
    assert kernel == (tmp_path / "a/vmlinuz").read_bytes()
    version = find(server, json.loads((tmp_path / "b/manifest.json").read_text())["version"])["version"]
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port), timeout=60) as slow:
        slow.sendall(b"GET /bootos/initrd.img HTTP/1.0\r\n\r\n")
        stream = slow.makefile("rb")
        while stream.readline() not in (b"\r\n", b""):
            pass
        first = stream.read(1_000_000)
        server.operate("POST", f"/images/{version}/default")
        rest = stream.read()
    assert first + rest == (tmp_path / "a/initrd.img").read_bytes()
    # and one that had read only the kernel: it gets the initrd of that kernel, and the next boot is of the new image
    assert load(server, "initrd.img") == (tmp_path / "a/initrd.img").read_bytes()
    assert load(server, "vmlinuz") == (tmp_path / "b/vmlinuz").read_bytes()
    assert load(server, "initrd.img") == (tmp_path / "b/initrd.img").read_bytes()


def test_an_image_that_is_removed_while_it_is_loaded_is_read_to_its_end(
    server: Running, tmp_path: Path
) -> None:
    version = make_image(tmp_path / "a", "a", size_bytes=20_000_000)
    publish(server, tmp_path / "a")
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port), timeout=60) as slow:
        slow.sendall(f"GET /bootos/images/{version}/initrd.img HTTP/1.0\r\n\r\n".encode())
        stream = slow.makefile("rb")
        while stream.readline() not in (b"\r\n", b""):
            pass
        first = stream.read(1000)
        server.operate("DELETE", f"/images/{version}")
        assert first + stream.read() == (tmp_path / "a/initrd.img").read_bytes()
    assert server.request("GET", f"/bootos/images/{version}/initrd.img").status == 404
    assert not (server.context.settings.images / version).exists()


def test_a_server_that_was_killed_goes_on_with_the_upload_and_with_the_same_default(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", port=0, boot_files=tmp_path / "local", tftp=False)
    first = make_image(tmp_path / "a", "a")
    second = make_image(tmp_path / "b", "b")
    running, stop = run_in_thread(settings)
    publish(running, tmp_path / "a", default=True)
    begin(running, tmp_path / "b")
    send_piece(running, second, "initrd.img", 0, (tmp_path / "b/initrd.img").read_bytes()[:5000])
    # killed after the files were put in place, before the store knew of it
    stop()
    (settings.images / "0.1.0-unknown").mkdir()
    (settings.images / "0.1.0-unknown/manifest.json").write_bytes((tmp_path / "a/manifest.json").read_bytes())
    old = settings.images / ".upload/0.1.0-old"
    old.mkdir()
    (old / "manifest.json").write_text("{}")
    os.utime(old, (1, 1))
    running, stop = run_in_thread(settings)
    try:
        assert load(running, "vmlinuz") == (tmp_path / "a/vmlinuz").read_bytes()
        assert running.operate("GET", "/status")["image"] == first
        assert running.request("GET", "/bootos/images/0.1.0-unknown/manifest.json").status == 404
        assert not old.exists()
        states = begin(running, tmp_path / "b").data["files"]
        assert [state["have_bytes"] for state in states] == [0, 5000]
        assert publish(running, tmp_path / "b")["version"] == second
    finally:
        running.close()
        stop()


def test_only_signed_images_are_taken_and_served_where_the_server_says_so(tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path / "data", port=0, boot_files=tmp_path / "local", tftp=False, require_signature=True
    )
    make_image(tmp_path / "local", "local")
    version = make_image(tmp_path / "a", "a")
    public = create_key(tmp_path / "build.key")
    running, stop = run_in_thread(settings)
    try:
        assert running.request("GET", "/bootos/vmlinuz").status == 404
        assert begin(running, tmp_path / "a").status == 403
        signature = tmp_path / "a/manifest.json.sig"
        signature.write_bytes(sign(tmp_path / "build.key", (tmp_path / "a/manifest.json").read_bytes()))
        assert "of no trusted key" in begin(running, tmp_path / "a").data["error"]
        trusted = run_bootos(running, "image", "key", "trust", str(public))
        assert trusted.exit_code == 0, trusted.output
        assert publish(running, tmp_path / "a", default=True)["signed_by"] == "build.key"
        assert load(running, "vmlinuz") == (tmp_path / "a/vmlinuz").read_bytes()
        manifest = tmp_path / "a/manifest.json"
        manifest.write_text(manifest.read_text().replace("257", "258"))
        assert begin(running, tmp_path / "a").status == 403
    finally:
        stop()
    # a key that is withdrawn: what it signed is served no more
    (settings.trusted_keys / "build.key.pub").unlink()
    running, stop = run_in_thread(settings)
    try:
        assert running.request("GET", "/bootos/vmlinuz").status == 404
        assert "no trusted signature" in find(running, version)["problem"]
        answer = running.refuse("POST", f"/images/{version}/default")
        assert answer.status == 409
    finally:
        running.close()
        stop()


def test_the_page_of_images_leads_to_the_machines_that_run_them(server: Running, tmp_path: Path) -> None:
    version = make_image(tmp_path / "a", "a")
    publish(server, tmp_path / "a", default=True)
    Agent(server, sn="4711", image_version=version).register()  # a serial number of digits is no id
    (machine,) = server.operate("GET", "/machines")
    path = f"/machines/id:{machine['id']}"
    pages = read_every_page(server.operator_url, server.data)
    assert f'<a href="{path}">4711</a>' in pages["/images"]
    assert "4711" in pages[path]


def test_which_machine_runs_which_image_is_known_from_its_registration(
    server: Running, tmp_path: Path
) -> None:
    version = make_image(tmp_path / "a", "a")
    publish(server, tmp_path / "a", default=True)
    Agent(server, image_version=version).register()
    Agent(server, sn="SN002", boot_id="boot-2", image_version="0.0.9-old").register()
    assert find(server, version)["running"] == ["SN001"]
    assert find(server, version)["next"] == 2
    machine = server.operate("GET", "/machines/SN002")
    assert (machine["image_version"], machine["next_image"], machine["next_image_by"]) == (
        "0.0.9-old",
        version,
        "default",
    )
