"""Every captured output of a tool, mutated: what was read before is read still, and nothing is added. What an output
holds was counted in the file, and not taken from the parsers. `make mutations` prints how many there are."""

import pytest
from mutationsubject import GOLDEN, LEAST, Subject, judge
from raidsubject import list_raid
from toolsubject import NOT_MUTATED, list_tools

SUBJECTS = [*list_raid(), *list_tools()]


@pytest.mark.parametrize("subject", SUBJECTS, ids=[subject.golden for subject in SUBJECTS])
def test_a_tools_output_is_read_the_same_whatever_stands_around(subject: Subject) -> None:
    verdict = judge(subject)
    assert verdict.lost == []
    assert verdict.added == []
    assert verdict.mutations >= LEAST


def test_every_output_of_a_tool_is_mutated() -> None:
    folders = [*(GOLDEN / "hardware").iterdir(), *(GOLDEN / "drivers").iterdir()]
    files = {path.relative_to(GOLDEN).as_posix() for folder in folders for path in folder.rglob("*.*")}
    mutated = {subject.golden for subject in SUBJECTS}
    assert len(mutated) == len(SUBJECTS)
    left = {file for file in files - mutated if not any(file.startswith(start) for start in NOT_MUTATED)}
    assert left == set()
    assert all(any(file.startswith(start) for file in files - mutated) for start in NOT_MUTATED)
