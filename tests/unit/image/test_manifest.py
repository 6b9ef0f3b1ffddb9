import hashlib

import msgspec

from bootos.image.document_file import read_json, write_json
from bootos.image.manifest import FileEntry, Manifest, hash_file, parse_manifest


def make_manifest() -> Manifest:
    return Manifest(
        name="bootos",
        version="0.1.0-0123456789ab",
        bootos_version="0.1.0",
        recipe_sha256="0" * 64,
        kernel_release="6.12.0-amd64",
        kernel_modules=900,
        firmware_files=80,
        files=(
            FileEntry(name="vmlinuz", size_bytes=12, sha256="a"),
            FileEntry(name="initrd.img", size_bytes=100, sha256="b"),
        ),
        segments=(FileEntry(name="boot", size_bytes=1, sha256="c"),),
        root_uncompressed_bytes=500,
        packages={"systemd": "257"},
    )


def test_a_file_is_described_by_its_size_and_sha256(tmp_path):
    (tmp_path / "vmlinuz").write_bytes(b"kernel")
    entry = hash_file(tmp_path / "vmlinuz")
    assert entry == FileEntry(name="vmlinuz", size_bytes=6, sha256=hashlib.sha256(b"kernel").hexdigest())


def test_a_written_manifest_reads_back_and_newer_fields_are_ignored(tmp_path):
    write_json(tmp_path / "manifest.json", make_manifest())
    value = read_json(tmp_path / "manifest.json")
    assert value["schema"] == 1
    assert parse_manifest({**value, "added_later": True}) == make_manifest()
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_the_size_is_what_a_machine_has_to_load():
    assert make_manifest().size_bytes == 112
    assert msgspec.to_builtins(make_manifest())["files"][1]["name"] == "initrd.img"
