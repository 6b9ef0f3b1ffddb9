"""Whoever asks for a path gets no file but those that are there for machines, and writes none anywhere else."""

import hashlib
import itertools
from typing import Any

import msgspec
import pytest
from rawhttp import exchange
from serving import Running

from bootos.server.operation.image import NewImage
from bootos.wire.manifest import SCHEMA

SECRETS = ("operator.token", "secret.key", "bootos.db", "lock")
ROOTS = (
    "/bootos/",
    "/bootos/files/",
    "/bootos/netboot/",
    "/bootos/images/",
    "/bootos/images/v1/",
    "/grub/",
    "/static/",
)
UP = (
    "../",
    "..%2f",
    "%2e%2e/",
    "%2e%2e%2f",
    "..%5c",
    "..\\",
    "....//",
    "%252e%252e%252f",
    "..%c0%af",
    "..;/",
    "./.././",
    "%00../",
    "/",
    "%2f",
    "x/../../",
)


@pytest.fixture
def canaries(server: Running) -> list[bytes]:
    """What no answer may hold: the secrets of the data directory."""
    found = [(server.data / name).read_bytes().strip() for name in SECRETS if (server.data / name).is_file()]
    return [content[:32] for content in found if len(content) >= 16]


def test_no_path_leads_out_of_what_is_served(server: Running, canaries: list[bytes]) -> None:
    """As bytes, since a library would clean them."""
    assert len(canaries) >= 3
    for root, up in itertools.product(ROOTS, UP):
        for times in (1, 3):
            for name in (*SECRETS, "etc/passwd"):
                target = root + up * times + name
                request = f"GET {target} HTTP/1.0\r\nHost: server\r\n\r\n".encode()
                heard = exchange(server.find_side(root), request)
                raw = heard.text.encode("latin-1")
                assert not any(canary in raw for canary in canaries), target
                assert "root:" not in heard.text, target
                assert heard.statuses[0] in (400, 401, 403, 404, 303), (target, heard.statuses)


def test_a_hidden_file_and_a_directory_are_not_served(server: Running) -> None:
    (server.data / "files/sub").mkdir(parents=True)
    (server.data / "files/.hidden").write_text("x")
    (server.data / "files/sub/plain").write_text("x")
    assert server.request("GET", "/bootos/files/sub/plain").status == 200
    for path in (
        "/bootos/files/.hidden",
        "/bootos/files/sub",
        "/bootos/files/sub/",
        "/bootos/files/",
        "/bootos/",
    ):
        assert server.request("GET", path).status == 404, path


def build_manifest(version: str, name: str) -> bytes:
    content = b"kernel"
    entry = {"name": name, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    files = [entry, {**entry, "name": "vmlinuz"}, {**entry, "name": "initrd.img"}]
    return msgspec.json.encode({"schema": SCHEMA, "name": "image", "version": version, "files": files})


def test_a_manifest_with_plain_names_is_taken(server: Running) -> None:
    """What follows is refused for its names, and for nothing else."""
    wanted: Any = msgspec.to_builtins(NewImage(manifest=build_manifest("v9", "extra").decode()))
    assert {file["name"] for file in server.operate("POST", "/images", wanted)["files"]} >= {
        "extra",
        "vmlinuz",
    }


@pytest.mark.parametrize(
    ("version", "name"),
    [
        *[
            (version, "extra")
            for version in ("..", ".", "../x", "/etc", "a/b", ".upload", "a\0b", "", "a\nb")
        ],
        *[("v9", name) for name in ("../x", "/etc/passwd", "layers/../../x", "a\0b", "..", "layers/..", "")],
    ],
)
def test_a_manifest_that_names_a_place_outside_is_refused(server: Running, version: str, name: str) -> None:
    before = sorted(server.data.rglob("*"))
    wanted: Any = msgspec.to_builtins(NewImage(manifest=build_manifest(version, name).decode()))
    assert server.refuse("POST", "/images", wanted).status in (400, 422)
    assert sorted(server.data.rglob("*")) == before


@pytest.mark.parametrize(
    "name", ["../operator.token", "../../x", "/etc/passwd", "layers/../../x", "manifest.json"]
)
def test_a_piece_of_a_file_that_the_manifest_does_not_name_is_written_nowhere(
    server: Running, name: str
) -> None:
    before = {path: path.stat().st_mtime_ns for path in server.data.rglob("*") if path.is_file()}
    for version in ("v9", "..", "%2e%2e", ".upload"):
        answer = server.refuse("PUT", f"/images/{version}/files?name={name}&offset=0", b"x")
        assert answer.status in (404, 405, 422)
    assert {path for path in server.data.rglob("*") if path.is_file()} == set(before)
