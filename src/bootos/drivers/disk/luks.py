"""`disk.luks`: LUKS2 containers on partitions and logical volumes, with their file systems in them.

A container is opened only while its file system is made. It is labelled as unfinished until then; a finished one with
the wanted label is right, and what is in it is not looked at: without the passphrase nobody can. The passphrase goes to
cryptsetup's standard input and nowhere else.
"""

import contextlib
from collections.abc import Iterator

import msgspec

from bootos.drivers.contract import Change, Forecast, Machine, PartitionForecast, Planned
from bootos.drivers.disk.driver import DiskDriver
from bootos.drivers.storage.desk import Taking, judge, wipe_word
from bootos.drivers.storage.device import empty_place
from bootos.drivers.storage.mark import UNFINISHED, draw_uuid
from bootos.drivers.storage.mkfs import (
    LEAST_BYTES,
    MKFS_TIMEOUT_S,
    build_mkfs,
    full_filesystem,
    mark_filesystem,
)
from bootos.drivers.storage.own import is_unfinished_container
from bootos.drivers.storage.place import Place, find_places, find_present
from bootos.drivers.storage.settle import settle
from bootos.drivers.storage.signature import LUKS_SIGNATURE, Signature
from bootos.drivers.storage.state import Storage
from bootos.drivers.storage.volume import opened
from bootos.template.model import Encryption, Filesystem, Template
from bootos.template.size import format_size

HEADER_BYTES = 16 * 1024**2  # the size of a LUKS2 header as cryptsetup makes it
MAPPING = "bootos-container"
LUKS_TIMEOUT_S = 300.0  # deriving the key takes seconds, and minutes on a busy emulated machine


class Encrypt(msgspec.Struct, frozen=True, kw_only=True):
    """`number` is the partition's. `volume` is (group, name) of a logical volume. `secret` is the passphrase's name."""

    device: str
    number: int | None
    volume: tuple[str, str] | None
    secret: str
    label: str
    uuid: str
    filesystem: Filesystem | None


class LuksDriver(DiskDriver):
    name = "disk.luks"
    section = "disks.luks"
    title = "Encryption"
    can = "be encrypted"
    details = (Encrypt,)

    def wants(self, template: Template) -> bool:
        return any(place.wanted.encryption is not None for place in find_places(template))

    def plan(
        self, state: Storage, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        planned = Planned()
        for place in find_places(template):
            encryption = place.wanted.encryption
            if encryption is None:
                continue
            before = len(planned.actions)
            for target in forecast.partitions:
                if target.path == place.path:
                    _plan_place(state, place, encryption, target, forecast, planned)
            name = encryption.passphrase.secret
            if len(planned.actions) > before and not secrets.get(name):
                message = f"the secret {name!r} has no value"
                hint = f"bootos secret set {name}, or --secrets FILE by hand"
                path = f"{place.path}.encryption.passphrase"
                planned.complain(path, message, hint)
        return planned

    def change(self, machine: Machine, detail: Encrypt, secrets: dict[str, str]) -> None:
        apply_encryption(machine, detail, secrets[detail.secret])


def is_right(signatures: tuple[Signature, ...], wanted: Encryption) -> bool:
    """Whether a finished container is there, with the label where one is wanted."""
    if len(signatures) != 1 or signatures[0].type != LUKS_SIGNATURE:
        return False
    label = signatures[0].label
    return label != UNFINISHED and wanted.label in (None, label)


def _plan_place(
    state: Storage,
    place: Place,
    encryption: Encryption,
    target: PartitionForecast,
    forecast: Forecast,
    planned: Planned,
) -> None:
    wanted = place.wanted
    filesystem = full_filesystem(wanted.filesystem) if wanted.filesystem is not None else None
    here = f"{place.path}.encryption"
    least = HEADER_BYTES + (LEAST_BYTES[filesystem.type] if filesystem is not None else 1)
    if target.size_bytes is not None and target.size_bytes < least:
        message = (
            f"{format_size(target.size_bytes)} is too small: header and content need {format_size(least)}"
        )
        planned.complain(here, message)
    signatures, present = find_present(state, place, target, forecast.freed)
    if is_right(signatures, encryption):
        planned.notes.append(f"{target.device} is encrypted already")
        return
    ruling = judge(
        Taking(
            title=target.device,
            path=here,
            cannot="cannot be encrypted",
            subject="the disk" if place.number is not None else "it",
        ),
        present,
        wipe_word(place.owner, place.wipe),
        is_own=is_unfinished_container(signatures),
    )
    if not planned.take(ruling):
        return
    inside = f" with {filesystem.type.value}" if filesystem is not None else ""
    uuid = draw_uuid(state.owner, f"{target.device} luks")
    planned.act(
        f"disk.luks:make:{target.place or target.device}",
        f"encrypt {target.device} (LUKS2){inside}",
        Encrypt(
            device=target.device if place.group else target.disk,
            number=place.number,
            volume=place.volume,
            secret=encryption.passphrase.secret,
            label=encryption.label or "",
            uuid=uuid,
            filesystem=mark_filesystem(state, filesystem, f"{target.device} content") if filesystem else None,
        ),
        here,
        Change(what=target.device, before="; ".join(ruling.destroys), after=f"LUKS2{inside}"),
        ruling=ruling,
    )


@contextlib.contextmanager
def _node(machine: Machine, wanted: Encrypt) -> Iterator[str]:
    if wanted.volume is not None:
        with opened(machine, *wanted.volume) as node:
            machine.run(["wipefs", "--all", "--force", "--quiet", node])
            yield node
        return
    yield empty_place(machine, wanted.device, wanted.number)


def apply_encryption(machine: Machine, wanted: Encrypt, passphrase: str) -> None:
    """Make the container, open it for the time of mkfs, close it, and take the unfinished label away."""
    secrets = [passphrase]

    def cryptsetup(*argv: str, key: bool = False) -> None:
        words = ["cryptsetup", "--batch-mode", *(["--key-file", "-"] if key else []), *argv]
        machine.run(words, timeout_s=LUKS_TIMEOUT_S, input=passphrase if key else None, secrets=secrets)

    with _node(machine, wanted) as node:
        named = ["--uuid", wanted.uuid] if wanted.uuid else []
        cryptsetup("luksFormat", "--type", "luks2", "--label", UNFINISHED, *named, node, key=True)
        if wanted.filesystem is not None:
            cryptsetup("open", "--type", "luks2", node, MAPPING, key=True)
            try:
                mapped = f"/dev/mapper/{MAPPING}"
                machine.run(["wipefs", "--all", "--force", "--quiet", mapped])
                machine.run(build_mkfs(wanted.filesystem, mapped), timeout_s=MKFS_TIMEOUT_S)
            finally:
                settle(machine)
                cryptsetup("close", MAPPING)
        cryptsetup("config", "--label", wanted.label, node)
