"""Mistakes in arrays with `metadata: imsm` that need no machine."""

from typing import Any

import pytest

from bootos.template.check import read_template

OS = {"name": "os", "level": 1, "drives": "0,1", "metadata": "imsm"}


def check(*arrays: dict[str, Any]) -> list[tuple[str, str]]:
    _, problems = read_template({"name": "t", "raid": {"arrays": list(arrays)}})
    return [(problem.path.removeprefix("raid.arrays"), problem.message) for problem in problems]


def test_two_arrays_may_have_the_same_drives() -> None:
    assert (
        check(OS | {"size": "100GiB", "hotspares": 4}, OS | {"name": "data", "level": 0, "drives": "0-1"})
        == []
    )


@pytest.mark.parametrize(
    ("array", "path", "message"),
    [
        ({"level": 6, "drives": "0-3"}, ".level", "IMSM has no RAID 6: only 0, 1, 5 and 10"),
        ({"drives": "0-2"}, ".drives", "RAID 1 of IMSM has 2 drives, not 3"),
        ({"level": 10, "drives": "0-5"}, ".drives", "RAID 10 of IMSM has 4 drives, not 6"),
        ({"level": 0, "drives": "0"}, ".drives", "RAID 0 of IMSM needs at least 2 drives, not 1"),
        ({"name": "abcdefghijklmnopq"}, ".name", "IMSM keeps names of up to 16 characters"),
        (
            {"level": 0, "strip": "256KiB"},
            ".strip",
            "'256KiB' is not between 4KiB and 128KiB, as IMSM has it",
        ),
        (
            {"hotspares": 3, "hotspare_kind": "dedicated"},
            ".hotspare_kind",
            "a hot spare of IMSM belongs to the container, and to all arrays in it",
        ),
    ],
)
def test_what_intels_metadata_cannot(array: dict[str, Any], path: str, message: str) -> None:
    assert check(OS | array) == [(f"[0]{path}", message)]


def test_a_container_holds_two_arrays_and_the_first_says_its_size() -> None:
    told = check(OS, OS | {"name": "b"}, OS | {"name": "c"})
    assert told == [
        ("[2]", "a container of IMSM has at most 2 arrays: raid.arrays[0] and raid.arrays[1]"),
        ("[0].size", "takes all of the drives, and raid.arrays[1] lies on the same ones"),
    ]


def test_arrays_in_one_container_have_all_of_its_drives_and_its_spares() -> None:
    sized = OS | {"size": "100GiB"}
    told = check(sized, OS | {"name": "b", "level": 5, "drives": "0-2"})
    assert told == [
        ("[1].drives", "drive 0 is used by raid.arrays[0].drives already"),
        ("[1].drives", "drive 1 is used by raid.arrays[0].drives already"),
    ]
    told = check(sized | {"hotspares": 3}, OS | {"name": "b", "hotspares": 4})
    assert told == [("[1].hotspares", "hot spares belong to the container: raid.arrays[0] has others")]
    assert check(OS, {"name": "plain", "level": 1, "drives": "0,1"})[0][0] == "[1].drives"
