"""A machine of which only some outputs are known: what its tools answer, and what its file tree holds.

The modules of this folder that know a tool build a `Scene` of the files; `understand` reads it as a machine is read.
"""

import json
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Unpack

import msgspec

from bootos.drivers.contract import Driver
from bootos.process import Command, Completed, Options, ToolError
from bootos.wire.inventory import Inventory

Answer = Callable[[Command], "str | None"]
Finish = Callable[[Inventory, dict[str, Any]], "list[str]"]


class Scene(msgspec.Struct, kw_only=True):
    """`answer` is what a command would have printed, None where that is not among the files; `programs` are those that
    are there, by name. `lenient`: a command that is not known ends as one that the hardware refused.

    `files` lie in the machine's tree. `drivers` read the machine, with `document` as the template that asks for
    everything. `resources` are those of a Redfish service. `finish` adds to the inventory what no reader of a machine
    has, and returns notes; it is given the states by the names of their drivers. `vendor`: the maker of the machine,
    where the tool is for its machines alone.
    """

    answer: Answer = lambda command: None
    programs: tuple[str, ...] = ()
    lenient: bool = False
    files: dict[str, bytes] = {}
    drivers: list[Any] = []
    document: dict[str, Any] = {}
    resources: dict[str, Any] | None = None
    notes: list[str] = []
    finish: Finish | None = None
    vendor: str = ""


class Untold(Exception):
    """Raised by an `answer`: the command ends as one that could not read."""


class SceneRunner:
    """Runs nothing: the tools answer as the scene says. `missing` are the commands that nobody knows the output of."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.missing: list[str] = []

    def __call__(self, argv: Sequence[str | PathLike[str]], **options: Unpack[Options]) -> Completed:
        command = Command(argv, **options)
        name = command.words[0].rpartition("/")[2]
        if name == "lsblk" and name not in self._scene.programs:
            return command.complete(0, json.dumps({"blockdevices": []}))
        if name not in self._scene.programs or command.words[0] != name:
            raise ToolError(f"{name} is not among the files", reason="missing")
        try:
            text = self._scene.answer(command)
        except Untold as cause:
            return command.complete(1, "", str(cause))
        if text is not None:
            return command.complete(0, text)
        if command.shown not in self.missing:
            self.missing.append(command.shown)
        told = f"`{command.shown}` is not among the files"
        if self._scene.lenient:
            return command.complete(1, "", told)
        raise ToolError(told)


def build_driver(where: str, **options: Any) -> Driver:
    """A driver by `module:class` below `bootos.drivers`."""
    from importlib import import_module

    module, _, attribute = where.partition(":")
    driver: Driver = getattr(import_module(f"bootos.drivers.{module}"), attribute)(**options)
    return driver
