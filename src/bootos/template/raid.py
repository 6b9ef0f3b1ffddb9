"""The `raid` section: arrays and what may happen to those that are there."""

from typing import Literal

import msgspec

from bootos.template.value import Name


class ArrayWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`drives` and `hotspares` are drive lists in the documented form. `wipe: true` lets their data be lost."""

    name: Name
    level: Literal[0, 1, 5, 6, 10]
    drives: str | int
    hotspares: str | int | None = None
    chunk: str | None = None
    size: str | None = None  # per array; the whole drives when left out
    wipe: bool = False


class Raid(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`clear: true` allows existing arrays that are not wanted to be deleted."""

    clear: bool = False
    arrays: list[ArrayWanted] = []
    driver: str | None = None  # `raid.mdadm`: when more than one could
