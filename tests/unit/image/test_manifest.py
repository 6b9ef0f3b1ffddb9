import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from bootos.files import read_json, write_json
from bootos.image.assembly import Parts, build_manifest
from bootos.image.cache import Stage
from bootos.image.manifest import hash_file, read_manifest
from bootos.image.recipe_file import read_recipe
from bootos.wire.ability import OURS
from bootos.wire.manifest import SCHEMA, FileEntry, LayerEntry, Manifest, parse_manifest

FIRST_RELEASE = {
    "schema": 1,
    "name": "bootos",
    "bootos_version": "0.1.0",
    "recipe_sha256": "0" * 64,
    "kernel_release": "6.12.57+deb13-amd64",
    "kernel_modules": 900,
    "firmware_files": 80,
    "files": [
        {"name": "vmlinuz", "size_bytes": 12, "sha256": "a"},
        {"name": "initrd.img", "size_bytes": 100, "sha256": "b"},
    ],
    "segments": [{"name": "boot", "size_bytes": 1, "sha256": "c"}],
    "root_uncompressed_bytes": 500,
    "packages": {"systemd": "257"},
}
"""The fields that the first builds wrote."""


def make_manifest() -> Manifest:
    return Manifest(
        schema=SCHEMA,
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


def test_a_file_is_described_by_its_size_and_sha256(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(b"kernel")
    entry = hash_file(tmp_path / "vmlinuz")
    assert entry == FileEntry(name="vmlinuz", size_bytes=6, sha256=hashlib.sha256(b"kernel").hexdigest())


def test_a_written_manifest_reads_back_and_newer_fields_are_ignored(tmp_path: Path) -> None:
    write_json(tmp_path / "manifest.json", make_manifest())
    value = read_json(tmp_path / "manifest.json")
    assert value["schema"] == 1
    assert read_manifest(tmp_path) == make_manifest()
    write_json(tmp_path / "manifest.json", {**value, "added_later": True})
    assert read_manifest(tmp_path) == make_manifest()
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_the_manifest_of_the_first_release_reads(tmp_path: Path) -> None:
    write_json(tmp_path / "manifest.json", FIRST_RELEASE)
    manifest = read_manifest(tmp_path)
    assert (manifest.schema, manifest.version, manifest.layers, manifest.loaders) == (1, "", (), ())
    assert manifest.packages == {"systemd": "257"}


@pytest.mark.parametrize("field", sorted(set(FIRST_RELEASE) - {"schema"}))
def test_an_image_whose_manifest_lacks_a_field_is_not_worked_on(tmp_path: Path, field: str) -> None:
    write_json(tmp_path / "manifest.json", {key: item for key, item in FIRST_RELEASE.items() if key != field})
    with pytest.raises(msgspec.DecodeError, match=f"lacks {field}"):
        read_manifest(tmp_path)


def test_an_image_with_a_layer_of_an_unknown_kind_is_not_worked_on_but_can_be_shown(tmp_path: Path) -> None:
    layer = LayerEntry(name="new", kind="sounds")
    manifest = msgspec.structs.replace(make_manifest(), layers=(layer,))
    write_json(tmp_path / "manifest.json", manifest)
    assert parse_manifest((tmp_path / "manifest.json").read_bytes()) == manifest
    with pytest.raises(msgspec.DecodeError, match="layer new is of an unknown kind: 'sounds'"):
        read_manifest(tmp_path)


def test_what_is_no_manifest_is_refused() -> None:
    for text in ("{", "[]", json.dumps({"files": "many"})):
        with pytest.raises(msgspec.DecodeError):
            parse_manifest(text)


def test_the_size_is_what_a_machine_has_to_load() -> None:
    assert make_manifest().size_bytes == 112
    assert msgspec.to_builtins(make_manifest())["files"][1]["name"] == "initrd.img"


def test_a_built_image_names_the_abilities_of_the_agent_in_it(tmp_path: Path) -> None:
    """A manifest of an earlier release reads as one that names none."""
    stages = {name: Stage(name=name, key="0", directory=tmp_path / name) for name in Parts.__struct_fields__}
    for stage in stages.values():
        stage.directory.mkdir()
    write_json(
        tmp_path / "kernel/kernel.json",
        {"release": "6.12", "modules": 1, "firmware_files": 1, "packages": {}},
    )
    write_json(tmp_path / "root/root.json", {"uncompressed_bytes": 1, "packages": {}})
    write_json(tmp_path / "rpmdb/packages.json", [])
    (tmp_path / "loaders").mkdir()
    for name in ("vmlinuz", "initrd.img"):
        (tmp_path / name).write_bytes(b"x")
    recipe = read_recipe(Path(__file__).parents[3] / "recipes/bootos.toml")
    manifest = build_manifest(recipe, Parts(**stages), [], "1", tmp_path)
    write_json(tmp_path / "manifest.json", manifest)
    assert read_json(tmp_path / "manifest.json")["abilities"] == list(OURS)
    assert parse_manifest(json.dumps(FIRST_RELEASE).encode()).abilities == ()
