import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from bootos.errors import BootosError
from bootos.image.cache import Cache, Event, compute_key, hash_path
from bootos.image.recipe_file import read_recipe
from bootos.image.steps.snapshot import read_question

RESULT = ["result"]
RECIPE = """
name = "x"
[debian]
packages = ["systemd", "udev", "kmod", "python3", "python3-msgspec", "python3-urllib3"]
[firmware]
packages = ["firmware-bnx2"]
microcode = true
[modules]
keep = ["drivers/net"]
[boot]
units = []
udev_rules = []
"""
ASKED = "3ad1566abbeb5f141c54c1adc9d35b88268599370a9c07bc9333d1c8fc9ad63a"
"""What release 0.1.0 wrote as `asked` into a lock for this recipe."""


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def cache(tmp_path: Path, events: list[Event]) -> Cache:
    cache = Cache(tmp_path / "cache", events.append)
    cache.directory.mkdir()
    return cache


def fill(*, directory: Path, **inputs: object) -> None:
    (directory / "result").write_text(repr(inputs))


def test_a_second_build_with_the_same_inputs_takes_the_cached_result(
    cache: Cache, events: list[Event]
) -> None:
    first = cache.make("part", partial(fill, a=1), RESULT)
    (first.directory / "result").write_text("kept")
    second = cache.make("part", partial(fill, a=1), RESULT)
    assert second == first
    assert (second.directory / "result").read_text() == "kept"
    assert [event.state for event in events] == ["started", "done", "cached"]


def test_a_result_is_made_anew_when_it_is_asked_for(cache: Cache) -> None:
    first = cache.make("part", partial(fill, a=1), RESULT)
    (first.directory / "result").write_text("old")
    assert cache.make("part", partial(fill, a=1), RESULT, renew=True) == first
    assert (first.directory / "result").read_text() == "{'a': 1}"


def test_an_interrupted_stage_leaves_no_result(cache: Cache) -> None:
    def fail(directory: Path) -> None:
        (directory / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.make("part", partial(fail), RESULT)
    assert list(cache.directory.iterdir()) == []


def test_what_a_killed_build_left_is_removed_by_the_next_one(cache: Cache) -> None:
    (cache.directory / "unfinished-part-1").mkdir()
    with cache.locked():
        assert [path.name for path in cache.directory.iterdir()] == ["lock"]


def test_a_stage_that_makes_more_or_less_than_its_row_says_leaves_no_result(cache: Cache) -> None:
    with pytest.raises(
        BootosError, match=r"stage part made something else than its row says: other, result$"
    ):
        cache.make("part", partial(fill), ["other"])
    with pytest.raises(BootosError, match=r"its row says: other$"):
        cache.make("part", partial(fill), ["other", "result"])
    assert list(cache.directory.iterdir()) == []
    assert cache.make("part", partial(fill), ["other?", "result"]).directory.is_dir()


def test_a_cached_result_that_lost_a_file_is_made_again(cache: Cache, events: list[Event]) -> None:
    first = cache.make("part", partial(fill), RESULT)
    (first.directory / "result").unlink()
    assert cache.make("part", partial(fill), RESULT) == first
    assert (first.directory / "result").exists()
    assert [event.state for event in events] == ["started", "done", "started", "done"]


def test_the_key_changes_with_values_code_name_and_earlier_stages(cache: Cache) -> None:
    def fill_otherwise(*, directory: Path, a: int) -> None:
        fill(directory=directory)

    earlier = cache.make("base", partial(fill, packages=["a"]), RESULT)
    later = cache.make("base", partial(fill, packages=["a", "b"]), RESULT)
    made = [
        cache.make("part", partial(fill, a=1), RESULT),
        cache.make("part", partial(fill, a=2), RESULT),
        cache.make("part", partial(fill_otherwise, a=1), RESULT),
        cache.make("other", partial(fill, a=1), RESULT),
        cache.make("part", partial(fill, a=earlier), RESULT),
        cache.make("part", partial(fill, a=later), RESULT),
    ]
    assert len({stage.key for stage in made}) == 6


def test_tools_and_the_directory_are_handed_over_and_do_not_count(cache: Cache) -> None:
    said: list[str] = []

    def work(*, word: str, directory: Path, say: Callable[[str], None]) -> None:
        say(word)
        (directory / "result").touch()

    made = cache.make("part", partial(work, word="hello"), RESULT, {"say": said.append})
    assert said == ["hello"]
    assert cache.make("part", partial(work, word="hello"), RESULT, {"say": print}) == made


def test_a_tree_counts_by_its_content_and_not_by_place_or_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub/file").write_text("same")
        (tmp_path / name / "link").symlink_to("sub/file")
    os.utime(tmp_path / "two/sub/file", (1, 1))
    (tmp_path / "two/__pycache__").mkdir()
    (tmp_path / "two/__pycache__/x.pyc").write_text("compiled")

    def key(name: str) -> str:
        return compute_key("part", {"tree": tmp_path / name})

    assert key("one") == key("two")
    (tmp_path / "two/sub/file").chmod(0o755)
    assert key("one") != key("two")
    (tmp_path / "two/sub/file").chmod(0o644)
    (tmp_path / "two/link").unlink()
    (tmp_path / "two/link").symlink_to("sub")
    assert key("one") != key("two")


def test_a_name_that_is_no_utf_8_counts_as_it_is(tmp_path: Path) -> None:
    keys = set()
    for place, name in enumerate((b"caf\xe9", b"caf\xe8", "café".encode())):
        tree = tmp_path / str(place)
        tree.mkdir()
        (tree / os.fsdecode(name)).write_text("same")
        keys.add(hash_path(tree))
    assert len(keys) == 3


def test_a_file_counts_by_its_name_too_and_so_inside_a_model(tmp_path: Path) -> None:
    class Wanted(msgspec.Struct):
        files: tuple[Path, ...]

    for name in ("a/x.deb", "b/x.deb", "b/y.deb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("same")
    first, moved, renamed = (
        compute_key("part", {"wanted": Wanted(files=(tmp_path / name,))})
        for name in ("a/x.deb", "b/x.deb", "b/y.deb")
    )
    assert first == moved
    assert first != renamed


def test_only_the_latest_results_of_a_stage_are_kept(cache: Cache) -> None:
    stages = []
    for number in range(5):
        stages.append(cache.make("part", partial(fill, n=number), RESULT))
        os.utime(stages[-1].directory, (number, number))
    cache.make("part", partial(fill, n=5), RESULT)
    assert not stages[0].directory.exists()
    assert len(list(cache.directory.iterdir())) == 3


def test_a_lock_of_the_first_release_answers_the_same_recipe(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    question = read_question(read_recipe(tmp_path / "recipe.toml").recipe)
    assert compute_key("asked", msgspec.structs.asdict(question)) == ASKED
