"""Machines, as they are shown: in lists and on a machine's page."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Text, select, type_coerce
from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.fingerprint import Fingerprint
from bootos.server.image.choice import Pin, choose_image
from bootos.server.image.version import read_default, read_pins
from bootos.server.lifecycle import State, read_machine_state
from bootos.server.mark import Marks, read_stored_marks
from bootos.server.store.claim import open_claims
from bootos.server.store.job import is_rebooting
from bootos.server.store.machine import MOST_NAMESAKES, UNSHOWN, is_waiting, list_namesakes
from bootos.server.store.mark import find_alike, read_fingerprint
from bootos.server.store.support import read_lines
from bootos.server.store.table import Alias, Boot, ExpectedMac, Job, Mac, Machine, Support
from bootos.server.support import Model, Verdict, judge, read_model
from bootos.server.view.capture import CaptureView, view_capture
from bootos.server.view.conversion import build_view
from bootos.wire.identity import is_placeholder

# A BIOS that updates itself may take half an hour. A machine that is away for longer is lost.
REBOOT_DEADLINE_S = 1800.0
MOST_ALSO = 10  # machines that are named where a MAC is not one machine's alone


class MachineView(msgspec.Struct, kw_only=True):
    """`known_by`: what its name `sn` is: its `serial` number, else its `uuid`, the serial number of its `board`, the
    `mac` address that it booted from, or empty as long as that is not known, or for a
    name that the operator gave; `former_names`: what it was known by
    before. `image_version`: what it booted last; `next_image`: what it gets next, by its own pin (`machine`), the pin
    of its `model`, or as the `default`. `confirmed_by`: how it was confirmed, empty for a new one; `doubt`: why the
    boot that speaks for it now is not believed. `boot` is that boot, `words` what its console shows, and
    `compared` whether a person has seen them there."""

    id: int
    sn: str
    known_by: str
    former_names: list[str]
    state: str
    vendor: str
    product: str
    address: str
    supported: bool
    bios_version: str
    bmc_version: str
    developer: bool
    protocol: int
    agent_version: str
    image_version: str
    next_image: str
    next_image_by: str
    active_job: int | None
    hostname: str
    registered_at: datetime | None
    last_heard_at: datetime | None
    claims: int
    confirmed_by: str
    doubt: str
    boot: int | None
    words: str
    compared: bool


class MacView(msgspec.Struct, kw_only=True):
    """A MAC that the machine has shown; `bound`: it is the one of its PXE file. `also`: other machines that show it, by
    id, where one of them or this one is confirmed: it is then bound to none."""

    mac: str
    bound: bool
    also: list[int] = []


class ClaimView(msgspec.Struct, kw_only=True):
    """Who else said to be this machine, `count` times."""

    address: str
    boot_id: str
    first_at: datetime
    last_at: datetime
    count: int


class NamesakeView(msgspec.Struct, kw_only=True):
    """Another machine that is called by the same `name`, by which one of the two is, or was, known."""

    id: int
    sn: str
    name: str


class KnownView(msgspec.Struct, kw_only=True):
    """What a machine is known by once it is confirmed, or what a boot tells of that."""

    uuid: str
    board: str
    macs: list[str]


class MachineDetail(MachineView, kw_only=True):
    """`why_unsupported`: what in the support list does not fit, and how to proceed; `said_names`: what the machine
    calls itself, and is not known by until the operator renames it. `known`: what a confirmed machine is known by;
    `told`: what a boot tells that is not believed; `changes`: what was accepted, and nobody has seen yet. `alike`:
    other confirmed machines, by id, of which it has the UUID, the board's serial number or a MAC. `jobs`: the newest,
    as many as a page has; `more_jobs`: there are older ones."""

    confirmed_at: datetime | None
    changes: str
    known: KnownView | None
    told: KnownView | None
    alike: list[int]
    expected_macs: list[str]
    why_unsupported: str
    macs: list[MacView]
    refused_claims: list[ClaimView]
    namesakes: list[NamesakeView]
    said_names: list[str]
    settings: dict[str, Any]
    variables: dict[str, Any]
    saved_at: datetime | None
    drivers: list[str]
    inventory: dict[str, Any] | None
    inventory_at: datetime | None
    jobs: list[int]
    more_jobs: bool
    capture: CaptureView


class ExportedTemplate(msgspec.Struct, kw_only=True):
    """The template that describes a machine as it was when its state was saved; `notes` say what it leaves open."""

    sn: str
    saved_at: datetime | None
    template: dict[str, Any]
    notes: list[str]


class _Active(msgspec.Struct):
    """What a machine's view needs of the job that has not ended."""

    id: int
    state: State
    is_rebooting: bool


class _Lookup(msgspec.Struct):
    """What a machine's view needs besides its row."""

    active: dict[int, _Active]
    claims: dict[int, int]
    support: list[Support]
    pins: list[Pin]
    default: str
    former_names: dict[int, list[str]]
    boots: dict[
        int, tuple[str, bool]
    ]  # the words of the boot that speaks for a machine, and whether compared
    verdicts: dict[Model, Verdict] = {}  # kept by model: a thousand machines are of a few models

    def judge(self, machine: Machine) -> Verdict:
        """Whether the machine's model is supported."""
        model = read_model(machine)
        if model not in self.verdicts:
            self.verdicts[model] = judge(self.support, model)
        return self.verdicts[model]


def view_machines(context: Context, session: Session, rows: Sequence[Machine]) -> list[MachineView]:
    """These machines, with a fixed number of queries, and nothing read of others."""
    lookup = _read_lookup(session, [row.id for row in rows])
    return [build_view(MachineView, row, **_compute(context, row, lookup)) for row in rows]


def list_waiting(context: Context, session: Session, *, limit: int, after: int = 0) -> list[MachineView]:
    """The machines that a person is to look at, at most `limit`: new ones and doubted ones, who came last first.
    `after`: those before the machine with this id, which is the last of the page before."""
    query = select(Machine).where(is_waiting()).order_by(Machine.id.desc()).limit(limit)
    query = query.where(Machine.id < after) if after else query
    return view_machines(context, session, list(session.scalars(query.options(*UNSHOWN))))


def view_machine_detail(context: Context, session: Session, row: Machine) -> MachineDetail:
    """Everything of a machine, with its inventory."""
    lookup, told = _read_lookup(session, [row.id]), _read_told(session, row)
    tells = told or read_stored_marks(row.inventory)
    most_jobs = context.settings.limits.page_rows
    query = select(Job.id).where(Job.machine_id == row.id).order_by(Job.id.desc()).limit(most_jobs + 1)
    jobs = list(session.scalars(query))
    verdict = lookup.judge(row)
    return build_view(
        MachineDetail,
        row,
        **_compute(context, row, lookup),
        why_unsupported="" if verdict.ok or row.inventory is None else f"{verdict.reason}; {verdict.remedy}",
        known=_say_known(read_fingerprint(session, row)) if row.confirmed_at is not None else None,
        told=_say_known(told.fingerprint) if told is not None else None,
        alike=find_alike(session, row, tells.fingerprint, limit=MOST_ALSO) if tells is not None else [],
        expected_macs=list(
            session.scalars(
                select(ExpectedMac.mac).where(ExpectedMac.machine_id == row.id).order_by(ExpectedMac.mac)
            )
        ),
        macs=_list_macs(session, row),
        refused_claims=list(session.scalars(open_claims([row.id]))),
        namesakes=_list_namesakes(session, row),
        said_names=_list_said(session, row),
        jobs=jobs[:most_jobs],
        more_jobs=len(jobs) > most_jobs,
        capture=view_capture(session, row),
    )


def _list_macs(session: Session, row: Machine) -> list[MacView]:
    own = list(session.scalars(select(Mac).where(Mac.machine_id == row.id).order_by(Mac.mac)))
    others = select(Mac.mac, Mac.machine_id).join(Machine, Machine.id == Mac.machine_id)
    others = others.where(Mac.mac.in_([mac.mac for mac in own]), Mac.machine_id != row.id)
    if row.confirmed_at is None:
        others = others.where(Machine.confirmed_at.is_not(None))
    also: dict[str, list[int]] = {}
    for other in session.execute(others.order_by(Mac.machine_id)):
        also.setdefault(other.mac, []).append(other.machine_id)
    return [MacView(mac=mac.mac, bound=mac.bound, also=also.get(mac.mac, [])[:MOST_ALSO]) for mac in own]


def _read_told(session: Session, row: Machine) -> Marks | None:
    boot = session.get(Boot, row.boot_pk) if row.boot_pk is not None else None
    return read_stored_marks(boot.inventory) if boot is not None else None


def _say_known(whole: Fingerprint) -> KnownView:
    return KnownView(uuid=whole.uuid or "", board=whole.board or "", macs=sorted(whole.macs))


def _list_said(session: Session, row: Machine) -> list[str]:
    said = select(Alias.name).where(Alias.machine_id == row.id, Alias.held.is_(False)).order_by(Alias.id)
    return [name for name in session.scalars(said) if not is_placeholder(name)]


def _list_namesakes(session: Session, row: Machine) -> list[NamesakeView]:
    own = list(session.scalars(select(Alias).where(Alias.machine_id == row.id).order_by(Alias.id)))
    called = [(alias.name, alias.held) for alias in own]
    if is_placeholder(row.sn):
        called.append((row.sn, True))
    return [
        NamesakeView(id=other.id, sn=other.sn, name=name)
        for name, held in called
        for other in list_namesakes(session, name, Machine.id != row.id, held=not held, limit=MOST_NAMESAKES)
    ]


def _read_lookup(session: Session, ids: Sequence[int]) -> _Lookup:
    says_reboot = type_coerce(Job.report, Text).contains('"rebooting"')
    active = select(Job.id, Job.machine_id, Job.state, says_reboot.label("says_reboot")).where(
        Job.ended_at.is_(None), Job.machine_id.in_(ids)
    )
    former = (
        select(Alias.machine_id, Alias.name)
        .where(Alias.held, Alias.machine_id.in_(ids))
        .order_by(Alias.since.desc(), Alias.id.desc())
    )
    former_names: dict[int, list[str]] = {}
    for alias in session.execute(former):
        former_names.setdefault(alias.machine_id, []).append(alias.name)
    claims: Counter[int] = Counter()
    for claim in session.scalars(open_claims(ids)):
        claims[claim.machine_id] += claim.count
    # A row or a rule compares no words. So a person can of every machine, whoever confirmed it.
    present = select(Machine.id, Boot.words, Boot.compared).join(Boot, Boot.id == Machine.boot_pk)
    present = present.where(Machine.id.in_(ids))
    return _Lookup(
        boots={found.id: (found.words, found.compared) for found in session.execute(present)},
        active={row.machine_id: _read_active(session, row) for row in session.execute(active)},
        claims=claims,
        support=read_lines(session),
        pins=read_pins(session),
        default=read_default(session),
        former_names=former_names,
    )


def _read_active(session: Session, row: Any) -> _Active:
    is_going = bool(row.says_reboot) and is_rebooting(session.get_one(Job, row.id))
    return _Active(id=row.id, state=State(row.state), is_rebooting=is_going)


def _compute(context: Context, row: Machine, lookup: _Lookup) -> dict[str, Any]:
    job = lookup.active.get(row.id)
    presence = context.legacy_presence if row.protocol == 1 else context.presence
    heard = presence.is_heard(row.id, row.last_heard_at)
    last_heard = presence.last_heard(row.id, row.last_heard_at)
    choice = choose_image(
        lookup.pins, lookup.default, machine_id=row.id, vendor=row.vendor, product=row.product
    )
    words, compared = lookup.boots.get(row.id, ("", False))
    state = read_machine_state(
        registered=row.registered_at is not None,
        heard=heard,
        job=job.state if job else None,
        confirmed=row.confirmed_at is not None,
        doubted=bool(row.doubt),
        rebooting=job is not None
        and job.is_rebooting
        and presence.is_recent(row.id, row.last_heard_at, REBOOT_DEADLINE_S),
    )
    return {
        "state": state.value,
        "supported": lookup.judge(row).ok,
        "next_image": choice.version,
        "next_image_by": choice.by,
        "active_job": job.id if job else None,
        "hostname": str(row.settings.get("hostname") or ""),
        "last_heard_at": last_heard,
        "claims": lookup.claims.get(row.id, 0),
        "boot": row.boot_pk,
        "words": words,
        "compared": compared,
        "former_names": lookup.former_names.get(row.id, []),
    }
