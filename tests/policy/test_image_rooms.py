"""The folders of `image` lie above each other: its own files, then layers, steps, driver. On top are the files that put
it all together: the build and the commands."""

from pathlib import Path

from test_layers import build_graph

IMAGE = Path(__file__).parents[2] / "src/bootos/image"
ROOMS = ("", "layers", "steps", "driver")
"""Each may import those before it."""


def find_room(module: str) -> str | None:
    """The folder of `image` that a module is in; empty: it lies directly in it; None: it is elsewhere."""
    first, *rest = module.split(".")
    if first != "image":
        return None
    return rest[0] if rest and (IMAGE / rest[0]).is_dir() else ""


def list_imports() -> dict[str, set[str]]:
    """The modules of image -> what of image they import."""
    return {
        module: {other for other in imported if find_room(other) is not None}
        for module, imported in build_graph().items()
        if find_room(module) is not None
    }


def test_every_folder_has_its_place() -> None:
    assert {find_room(module) for module in list_imports()} == set(ROOMS)


def test_a_folder_imports_only_what_lies_below_it() -> None:
    imports = list_imports()
    on_top = {module for module in imports if not find_room(module) and any(map(find_room, imports[module]))}
    for module, imported in imports.items():
        room = find_room(module)
        if room:
            allowed = ROOMS[: ROOMS.index(room) + 1]
            assert not {other for other in imported if find_room(other) not in allowed}, module
            assert not on_top & imported, f"{module} imports what lies on top"
