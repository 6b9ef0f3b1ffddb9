"""The base of stand-ins whose programs show one controller each. What a controller remembers is one key of the
machine's silicon; a machine without the key has no such controller. Where it has those of two programs, the drives
behind each are told apart by `PhysicalDrive.controller`.
"""

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from bootos.lab.vendor_tools.silicon import Output, PhysicalDrive, Silicon


class OneCard(msgspec.Struct, kw_only=True):
    """The base of what a controller remembers. `key` is where. `controller` says which of the machine's drives are its
    own; None: as `list_drives` does."""

    key: str = ""
    controller: int | None = None


C = TypeVar("C", bound=OneCard)


class CardRefusal(Exception):
    """Why a program does not do what it is told."""


def keep_card(silicon: Silicon, card: OneCard) -> None:
    """Write the card back to the machine's silicon."""
    silicon.state[card.key] = msgspec.to_builtins(card)


def list_drives(silicon: Silicon, key: str, keys: Sequence[str]) -> list[PhysicalDrive]:
    """The machine's drives behind a controller, with serial numbers, of those that have `keys`."""
    own = silicon.state.get(key, {}).get("controller")
    are_shared = all(other in silicon.state for other in keys)
    if own is None and are_shared:
        own = keys.index(key)
    drives = [
        msgspec.structs.replace(drive, serial=drive.serial or f"LABDRIVE{number:04}")
        for number, drive in enumerate(silicon.spec.drives)
    ]
    return [drive for drive in drives if own is None or drive.controller == own]


class CardTool(Generic[C]):
    """The base of them. `keys` are those of the controllers in the state; `names` the programs."""

    names: tuple[str, ...]
    keys: tuple[str, ...]

    def read_card(self, silicon: Silicon, key: str) -> C:
        """The card from the state; without one there, a new card with the machine's drives."""
        raise NotImplementedError

    def find_key(self, silicon: Silicon, program: str) -> str | None:
        """Which controller the program knows; None: none."""
        raise NotImplementedError

    def tell_none(self, program: str) -> list[str]:
        """What it says where it knows none."""
        raise NotImplementedError

    def tell_head(self, card: C) -> list[str]:
        """What it says before all else."""
        raise NotImplementedError

    def tell_refusal(self, program: str, argv: Sequence[str], refusal: CardRefusal) -> list[str]:
        """How it says why not."""
        raise NotImplementedError

    def call(self, silicon: Silicon, card: C, program: str, argv: list[str], half: bool) -> list[str]:
        """Do what a command line asks for; the lines that it prints. `half`: it stops in the midst of it. Raises
        CardRefusal."""
        raise NotImplementedError

    def on_boot(self, silicon: Silicon) -> None:
        """The guest sees the drives that are in no array from its start."""
        for key in self.keys:
            if key in silicon.state:
                self.read_card(silicon, key)

    def run(
        self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        """See `Tool.run`."""
        key = self.find_key(silicon, program)
        if key is None:
            return Output(code=1, stdout="\n".join([*self.tell_none(program), ""]))
        card = self.read_card(silicon, key)
        half = silicon.is_misbehaving("fail-half", program, argv)
        try:
            lines, code = self.call(silicon, card, program, list(argv), half), 0
        except CardRefusal as refusal:
            lines, code = self.tell_refusal(program, argv, refusal), 1
        keep_card(silicon, card)
        return Output(code=code, stdout="\n".join([*self.tell_head(card), *lines, ""]))
