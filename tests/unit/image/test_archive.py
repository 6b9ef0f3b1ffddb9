from pathlib import Path

from bootos.image.archive import (
    Mirrors,
    build_sources,
    find_mirrors,
    parse_kernel,
    parse_sources,
    read_host_mirrors,
)

DEB822 = """\
Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security/
Suites: bookworm-security
Components: main

Types: deb
URIs: http://tools.example/apt
Suites: nodistro
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: trixie
Components: main
"""

ONE_LINE = """\
# deb http://commented.example/debian trixie main
deb-src http://source.example/debian trixie main
deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/debian/ trixie main contrib
deb https://security.example/debian-security trixie-security main
"""


def test_the_mirror_of_a_host_with_deb822_sources_is_found() -> None:
    assert find_mirrors(parse_sources(DEB822, deb822=True)) == Mirrors(
        main="http://mirror.example/debian", security="http://mirror.example/debian-security"
    )


def test_the_mirror_of_a_host_with_one_line_sources_is_found() -> None:
    assert find_mirrors(parse_sources(ONE_LINE, deb822=False)) == Mirrors(
        main="https://mirror.example/debian", security="https://security.example/debian-security"
    )


def test_a_host_of_another_distribution_has_no_debian_mirror() -> None:
    ubuntu = "deb http://archive.example/ubuntu noble main\ndeb http://archive.example/ubuntu noble-security main\n"
    assert find_mirrors(parse_sources(ubuntu, deb822=False)) == Mirrors()


def test_sources_are_read_from_the_files_apt_reads(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(DEB822)
    (tmp_path / "sources.list.d/old.list.save").write_text("deb http://old.example/debian trixie main\n")
    assert read_host_mirrors(tmp_path).main == "http://mirror.example/debian"


def test_the_image_gets_its_suite_updates_and_security_fixes_with_the_keyring_named() -> None:
    text = build_sources(
        Mirrors(main="http://m/debian", security="http://s"), "trixie", ["main", "non-free-firmware"]
    )
    assert [line.split("] ")[1] for line in text.splitlines()] == [
        "http://m/debian trixie main non-free-firmware",
        "http://m/debian trixie-updates main non-free-firmware",
        "http://s trixie-security main non-free-firmware",
    ]


def test_without_a_mirror_the_choice_is_left_to_mmdebstrap() -> None:
    assert build_sources(Mirrors(), "trixie", ["main"]) == ""


def test_a_kernel_is_one_package_or_since_debian_split_it_several() -> None:
    old = "Inst linux-base (4.12 Debian:13/stable [all])\nInst linux-image-6.12.9+deb13-amd64 (6.12.9-1 Debian)\n"
    assert parse_kernel(old + "Inst linux-image-amd64 (6.12.9-1 Debian)\n") == (
        "linux-image-6.12.9+deb13-amd64",
    )
    new = "".join(
        f"Inst linux-{part}-7.3.4+deb13-amd64 (7.3.4-1~bpo13+1 Debian Backports [amd64])\n"
        for part in ("base", "binary", "modules", "image")
    )
    assert parse_kernel(new + "Inst linux-modules-amd64 (7.3.4-1~bpo13+1 Debian)\n") == (
        "linux-base-7.3.4+deb13-amd64",
        "linux-binary-7.3.4+deb13-amd64",
        "linux-modules-7.3.4+deb13-amd64",
        "linux-image-7.3.4+deb13-amd64",
    )
    assert parse_kernel("") == ()
