"""docs/image-recipe.md names every key of a recipe."""

from pathlib import Path

import msgspec

from bootos.image.recipe import Recipe

PAGE = Path(__file__).parents[2] / "docs/image-recipe.md"


def list_keys(model: type, above: str = "") -> list[str]:
    keys = []
    for field in msgspec.structs.fields(model):
        name = f"{above}{field.encode_name}"
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            keys += list_keys(field.type, f"{name}.")
        else:
            keys.append(name)
    return keys


def test_every_key_of_a_recipe_is_documented() -> None:
    text = PAGE.read_text()
    missing = [key for key in [*list_keys(Recipe), "include", "[without]"] if f"`{key}`" not in text]
    assert not missing
