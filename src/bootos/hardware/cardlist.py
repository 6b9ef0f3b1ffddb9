"""Cards of one family that several programs share out: each program knows its own generation. All that are installed
are asked, and what they list is joined.

Used by `sasircu.py` (sas3ircu, sas2ircu) and `mvcli.py` (mvcli, mnv_cli), whose cards the inventory and the drivers
read.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec

from bootos.hardware.remark import Remark
from bootos.process import Runner, ToolError


class Card(Protocol):
    """A controller as one program lists it. `number` counts as that program does, until `join_cards` has numbered the
    cards of all; `id` is made there."""

    id: str
    number: int
    remarks: list[Remark]

    @property
    def pci_address(self) -> str:
        """Empty: it is not known."""
        ...


C = TypeVar("C", bound=Card)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A program that is installed and lists nothing that can be read. `is_first`: its cards would be numbered before
    some that are listed."""

    program: str
    cause: ToolError | ValueError
    is_first: bool


class CardList(msgspec.Struct, Generic[C], frozen=True, kw_only=True):
    """What the programs of a family list together, and which of them failed."""

    cards: list[C]
    failures: list[Failure]


def find_name(program: str) -> str:
    """A program's name without its place: the cards that it knows are the same, wherever it is."""
    return program.rpartition("/")[2]


def split_id(card_id: str) -> tuple[str, str]:
    """(name of the program; empty: the first that is installed, the number it knows the card by), of the `id` of a
    card."""
    name, _, number = card_id.rpartition(":")
    return name, number


def list_places(programs: Sequence[str], name: str) -> list[str]:
    """Where the program of this name may be; empty: where all of them may be, in their order."""
    return [program for program in programs if not name or find_name(program) == name]


def read_cards(
    run: Runner, root: Path, programs: Sequence[str], read: Callable[[Runner, str], list[C]]
) -> CardList[C] | None:
    """All cards of a family; None: none of its programs is installed. `programs` are names and usual places, those of
    one name together; `read` lists the cards of one program, and raises ToolError, ValueError."""
    answers: list[tuple[str, list[C]]] = []
    failures: list[tuple[str, ToolError | ValueError]] = []
    asked: set[str] = set()
    for program in programs:
        name = find_name(program)
        if name in asked or (program.startswith("/") and not (root / program.lstrip("/")).exists()):
            continue
        cards: list[C] = []
        try:
            cards = read(run, program)
        except ToolError as cause:
            if cause.reason == "missing":
                continue
            failures.append((name, cause))
        except ValueError as cause:
            failures.append((name, cause))
        asked.add(name)
        answers.append((name, cards))
    if not answers:
        return None
    listing = [name for name, cards in answers if cards]
    last = [name for name, _ in answers].index(listing[-1]) if listing else -1
    before = {name for name, _ in answers[: last + 1]}
    return CardList(
        cards=join_cards(answers),
        failures=[Failure(program=name, cause=cause, is_first=name in before) for name, cause in failures],
    )


def join_cards(answers: Sequence[tuple[str, list[C]]]) -> list[C]:
    """The cards of all programs, each once, with ids and numbers that no two of them share.

    Those of the first program keep the numbers that it gives them as ids. Those of another have its name before
    theirs (`sas2ircu:0`), whatever the first one lists, and are counted on after the cards before them. A card that
    two list is the first one's, if that can read it.
    """
    joined: list[C] = []
    for place, (name, cards) in enumerate(answers):
        offset = max((card.number for card in joined), default=-1) + 1
        earlier = {card.pci_address: card for card in joined if card.pci_address}
        for card in cards:
            card.id = f"{name}:{card.number}" if place else f"{card.number}"
            twin = earlier.get(card.pci_address)
            if twin is None:
                card.number += offset
                joined.append(card)
            elif _is_unread(twin) and not _is_unread(card):
                card.number = twin.number
                joined[joined.index(twin)] = card
    return joined


def _is_unread(card: Card) -> bool:
    return any(remark.part == "controller" for remark in card.remarks)
