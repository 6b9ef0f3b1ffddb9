"""The contract of a driver: code that changes one kind of hardware. Everything in `drivers/` keeps it.

Four verbs. `match`, `read` and `plan` change nothing on the machine; `apply` carries out one action. `plan` is
pure: a dry run is the same code as the run, minus `apply`. After `apply` the engine calls `read` and `plan`
again: whatever is still planned was accepted but not applied, and that is a failure.

A driver whose actions build on each other across reboots (a chain of firmware packages) says
`reboot_after_each = True`: the machine is then rebooted after each of its actions that needs it, not once after all.

Two verbs more, for drivers that have use for them: `apply_batch` (`Batch`) carries out all of its actions at once,
`export` (`Exporter`) says the present state in the words of a template.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from bootos.drivers.look import Look
from bootos.errors import BootosError, Problem, Problems
from bootos.process import Runner, run
from bootos.template.model import Template
from bootos.wire.inventory import Inventory
from bootos.wire.v2 import Change

if TYPE_CHECKING:
    from urllib3 import PoolManager

__all__ = [
    "Action",
    "ArrayForecast",
    "Batch",
    "Change",
    "Driver",
    "DriverError",
    "Exporter",
    "Forecast",
    "Machine",
    "Match",
    "PartitionForecast",
    "Planned",
    "Ruling",
]


class DriverError(BootosError):
    """The hardware refused, or did not do what it was told."""


class Machine:
    """The door to the machine: how tools are run and where its root is (a fake root in tests).

    `owner` names the job that changes it, for the mark on what is made (`mark`); empty: there is none. `begun` are
    the ids of actions that earlier attempts of that job began and did not say to have ended: what they made may be
    half done, so `read` looks twice, and half-made things with the job's mark may be replaced without asking. `done`
    are those that ended well. `record` hands a certificate to the job's report.

    `template` and `secrets` are what is asked of the machine, for drivers that must log on somewhere to `read` (a
    Redfish service); `engine.run.Run` sets them, once. The `secrets` that `plan` and `apply` are given are these.

    `look` is the reading that drivers share; None: nobody vouches that nothing changes, and each reads for itself.
    `resources` are those of a Redfish service that were kept, by path: they are read in the service's place.
    `http`: the connections by which packages are fetched; None: connections as every program makes them.
    `only_looks`: `read` may not even start an array to see what is in it.
    """

    def __init__(
        self,
        *,
        run: Runner = run,
        root: Path = Path("/"),
        owner: str = "",
        begun: frozenset[str] = frozenset(),
        done: frozenset[str] = frozenset(),
        record: Callable[[dict[str, Any]], None] = lambda certificate: None,
        http: "PoolManager | None" = None,
    ) -> None:
        self.run = run
        self.root = root
        self.owner = owner
        self.begun = begun
        self.done = done
        self.record = record
        self.template: Template | None = None
        self.secrets: dict[str, str] = {}
        self.look: Look | None = None
        self.resources: Mapping[str, Any] | None = None
        self.only_looks = False
        self.http = http

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Let drivers share what they read until the end of the block, or until something changes. A block inside
        another begins with a new look."""
        before, self.look = self.look, Look(self.root)
        try:
            yield
        finally:
            self.look = before
            self.drop_look()

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Around every change: what was read before is not used after it, however it ended, and nothing that is read
        during it is kept."""
        before, self.look = self.look, None
        try:
            yield
        finally:
            self.look = before
            self.drop_look()

    def drop_look(self) -> None:
        """Forget what was read, so that the next reading is new."""
        if self.look is not None:
            self.look = Look(self.root)


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """Why a driver takes this machine. Drivers of one section are tried by `priority`; a tie is an error."""

    reason: str
    priority: int = 0


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `detail` is the driver's own; `destroys` names every piece of data that is lost, in words an
    operator understands (`ext4 file system "data" on /dev/sdb1`). `allowed` says which word of the template
    permits that (`disks[0].wipe`); with `destroys` and no `allowed`, the guard refuses the action.

    `id` is the same when earlier actions of the plan are yet to come and when they are done: an approval names what may
    be done by it. So it has no device name that comes with an earlier action (`storage.mark.COMING_ARRAY`).

    `reboot`: it takes effect with the machine's next start. The engine then reboots inside the job, once for all such
    actions of a driver, and reads again afterwards: an action with the same `id` that is planned again did not take,
    and that is a failure. So `id` names what is changed (`bios.redfish:set:ProcVirtualization`), and for a chain of
    changes the link of it (`firmware.package:bios:2.19.1`). `estimate_s`: seconds it will take, about, without the
    reboot."""

    id: str
    driver: str
    summary: str
    changes: tuple[Change, ...] = ()
    destroys: tuple[str, ...] = ()
    allowed: str | None = None
    path: str = ""  # the place in the template that asks for this
    reboot: bool = False
    estimate_s: float | None = None
    detail: Any = None


class ArrayForecast(msgspec.Struct, frozen=True, kw_only=True):
    """An array as it will be once the plan is carried out. `size_bytes` is a lower bound until it exists. `place` is
    the name of its place in ids of actions, the same before it exists and after; empty: `device` is."""

    name: str
    device: str
    size_bytes: int
    exists: bool
    members: tuple[str, ...] = ()
    place: str = ""


class PartitionForecast(msgspec.Struct, frozen=True, kw_only=True):
    """A partition as it will be. `kept`: it exists now and stays, so what is on it counts. `place` is as that of
    `ArrayForecast`."""

    path: str  # in the template: disks[0].partitions[1]
    disk: str
    device: str
    size_bytes: int | None
    kept: bool
    place: str = ""


class Forecast(msgspec.Struct, kw_only=True):
    """What earlier drivers in the same plan will have made: later ones plan on top of it.

    `taken` maps a disk's device path to the part of the template that uses it, so that two parts cannot claim
    the same disk. `freed` are devices whose content an earlier planned action destroys anyway.
    """

    arrays: dict[str, ArrayForecast] = {}
    partitions: list[PartitionForecast] = []
    taken: dict[str, str] = {}
    freed: set[str] = set()


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk (`storage.desk`) says of data that would be lost. With problems, nothing may be planned. Else an
    action says what it `destroys`, and by which word of the template that is `allowed`."""

    problems: tuple[Problem, ...] = ()
    destroys: tuple[str, ...] = ()
    allowed: str | None = None


class Planned(msgspec.Struct, kw_only=True):
    """What `plan` found: actions in order, and problems, all at once. With a problem, nothing is applied.

    `notes` say why something needs no action."""

    actions: list[Action] = []
    problems: Problems = msgspec.field(default_factory=Problems)
    notes: list[str] = []

    def complain(self, path: str, message: str, hint: str = "") -> None:
        """Add a problem at a path of the template."""
        self.problems.complain(path, message, hint)

    def take(self, ruling: Ruling) -> bool:
        """Add a ruling's problems; returns whether it has none, so that its action may be planned."""
        self.problems += ruling.problems
        return not ruling.problems

    def act(
        self,
        id: str,
        summary: str,
        detail: Any,
        path: str,
        *changes: Change,
        ruling: Ruling | None = None,
        reboot: bool = False,
        estimate_s: float | None = None,
    ) -> None:
        """Add an action, with what its ruling says is lost. Its driver is what `id` begins with (`raid.mdadm:...`)."""
        action = Action(
            id=id,
            driver=id.partition(":")[0],
            summary=summary,
            changes=changes,
            path=path,
            reboot=reboot,
            estimate_s=estimate_s,
            detail=detail,
        )
        if ruling is not None:
            action = msgspec.structs.replace(action, destroys=ruling.destroys, allowed=ruling.allowed)
        self.actions.append(action)


class Driver(Protocol):
    """One kind of hardware. `name` is the module path below `drivers` (`raid.mdadm`); `section` is the part of
    the template it carries out (`raid`, `oob`, `disks.partitions`, `disks.filesystem`): one driver each. Of a list of
    `raid` sections each has its driver, which is asked with a template whose `raid` is that section alone."""

    name: str
    section: str
    title: str
    state_type: Any  # of what `read` returns: made of msgspec structs, so that it can be saved and planned on elsewhere

    def match(self, inventory: Inventory) -> Match | None:
        """Whether this driver takes the machine, by declared match data."""
        ...

    def wants(self, template: Template) -> bool:
        """Whether the template asks anything of this driver."""
        ...

    def read(self, machine: Machine, inventory: Inventory) -> Any:
        """The present state. Changes nothing. Raises DriverError, ToolError."""
        ...

    def plan(self, state: Any, template: Template, secrets: dict[str, str], forecast: Forecast) -> Planned:
        """Ordered actions from state to template; pure but for `forecast`, which it adds to."""
        ...

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        """Carry out one action. Raises DriverError, ToolError."""
        ...


@runtime_checkable
class Batch(Protocol):
    """A driver whose actions go to the hardware together: one Redfish request, one vendor configuration job."""

    def apply_batch(self, machine: Machine, actions: Sequence[Action], secrets: dict[str, str]) -> None:
        """Carry all of them out, instead of `apply` one by one. Raises DriverError, ToolError."""
        ...


@runtime_checkable
class Exporter(Protocol):
    """A driver that can say a state in the words of a template, so that applying them to the machine plans nothing."""

    def export(self, state: Any) -> dict[str, Any]:
        """Parts of a template by section: `{"raid": {"arrays": [...]}}`; lists of several drivers are joined, and
        `raid` of several becomes a list. Pure."""
        ...
