import os
import types
from pathlib import Path

import pytest

from bootos.image import cpio, kernel_module
from bootos.image.cache import Cache, Event, compute_key


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def cache(tmp_path: Path, events: list[Event]) -> Cache:
    cache = Cache(tmp_path / "cache", events.append)
    cache.directory.mkdir()
    return cache


def fill(directory: Path) -> None:
    (directory / "result").write_text("done")


def test_a_second_build_with_the_same_inputs_takes_the_cached_result(cache, events):
    first = cache.make("part", {"a": 1}, (cpio,), fill)
    second = cache.make("part", {"a": 1}, (cpio,), lambda _: pytest.fail("built again"))
    assert second == first
    assert (second.directory / "result").read_text() == "done"
    assert [event.state for event in events] == ["started", "done", "cached"]


def test_an_interrupted_stage_leaves_no_result(cache):
    def fail(directory: Path) -> None:
        (directory / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.make("part", {}, (), fail)
    assert list(cache.directory.iterdir()) == []


def test_what_a_killed_build_left_is_removed_by_the_next_one(cache):
    (cache.directory / "unfinished-part-1").mkdir()
    with cache.locked():
        assert [path.name for path in cache.directory.iterdir()] == ["lock"]


def test_the_key_changes_with_values_code_name_and_earlier_stages(cache):
    earlier = cache.make("base", {"packages": ["a"]}, (), fill)
    later = cache.make("base", {"packages": ["a", "b"]}, (), fill)
    keys = {
        compute_key("part", {"a": 1}, (cpio,)),
        compute_key("part", {"a": 2}, (cpio,)),
        compute_key("part", {"a": 1}, (kernel_module,)),
        compute_key("other", {"a": 1}, (cpio,)),
        compute_key("part", {"a": earlier}, (cpio,)),
        compute_key("part", {"a": later}, (cpio,)),
    }
    assert len(keys) == 6


def test_a_tree_counts_by_its_content_and_not_by_place_or_time(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub/file").write_text("same")
        (tmp_path / name / "link").symlink_to("sub/file")
    os.utime(tmp_path / "two/sub/file", (1, 1))
    (tmp_path / "two/__pycache__").mkdir()
    (tmp_path / "two/__pycache__/x.pyc").write_text("compiled")

    def key(name: str) -> str:
        return compute_key("part", {"tree": tmp_path / name}, ())

    assert key("one") == key("two")
    (tmp_path / "two/sub/file").chmod(0o755)
    assert key("one") != key("two")
    (tmp_path / "two/sub/file").chmod(0o644)
    (tmp_path / "two/link").unlink()
    (tmp_path / "two/link").symlink_to("sub")
    assert key("one") != key("two")


def test_only_the_latest_results_of_a_stage_are_kept(cache):
    stages = []
    for number in range(5):
        stages.append(cache.make("part", {"n": number}, (), fill))
        os.utime(stages[-1].directory, (number, number))
    cache.make("part", {"n": 5}, (), fill)
    assert not stages[0].directory.exists()
    assert len(list(cache.directory.iterdir())) == 3


def test_a_stage_is_rebuilt_when_its_code_changes(tmp_path):
    def module(body: str) -> types.ModuleType:
        path = tmp_path / "step.py"
        path.write_text(body)
        made = types.ModuleType("step")
        made.__file__ = str(path)
        return made

    import linecache

    first = compute_key("part", {}, (module("x = 1\n"),))
    linecache.clearcache()
    assert compute_key("part", {}, (module("x = 2\n"),)) != first
