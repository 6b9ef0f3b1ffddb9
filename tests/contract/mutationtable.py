"""How many mutations of the captured outputs there are, and what they lose and add: `make mutations`."""

from collections import Counter

from mutationsubject import judge
from raidsubject import list_raid
from toolsubject import list_tools


def build_table() -> str:
    """A row for each tool, and their sum."""
    counts: dict[str, Counter[str]] = {}
    for subject in (*list_raid(), *list_tools()):
        verdict = judge(subject)
        row = counts.setdefault(subject.tool, Counter())
        row.update(outputs=1, mutations=verdict.mutations, lost=len(verdict.lost), added=len(verdict.added))
    counts["all"] = sum(counts.values(), Counter())
    heads = ("outputs", "mutations", "lost", "added")
    rows: list[tuple[str, ...]] = [("tool", *heads)]
    rows += [(tool, *(str(row[head]) for head in heads)) for tool, row in counts.items()]
    return "\n".join(f"{tool:<18}" + "".join(f"{cell:>11}" for cell in cells) for tool, *cells in rows)


if __name__ == "__main__":
    print(build_table())
