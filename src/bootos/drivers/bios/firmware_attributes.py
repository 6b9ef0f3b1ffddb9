"""`bios.firmware_attributes`: settings that the kernel shows below /sys/class/firmware-attributes.

think-lmi (Lenovo), dell-wmi-sysman (Dell) and hp-bioscfg (HP) do. No tool is needed; where a setup password is set, it
is written to the interface before the changes. Linux: Documentation/ABI/testing/sysfs-class-firmware-attributes.
"""

from collections.abc import Sequence
from pathlib import Path

from bootos.drivers.bios.driver import BiosDriver
from bootos.drivers.bios.namefile import find_vendor
from bootos.drivers.bios.section import PRIORITY_FIRMWARE_ATTRIBUTES, BiosState
from bootos.drivers.bios.setting import SetDetail, Setting, is_secret
from bootos.drivers.contract import DriverError, Forecast, Machine, Match, Planned
from bootos.template.model import Template
from bootos.wire.inventory import Inventory

CLASS = Path("sys/class/firmware-attributes")
TYPES = {"enumeration": "enum", "integer": "integer", "string": "string"}


class FirmwareAttributesDriver(BiosDriver):
    name = "bios.firmware_attributes"
    title = "BIOS settings (Linux firmware attributes)"

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def match(self, inventory: Inventory) -> Match | None:
        found = sorted(path.name for path in (self._root / CLASS).glob("*") if (path / "attributes").is_dir())
        if not found:
            return None
        reason = f"the kernel shows the BIOS settings ({', '.join(found)})"
        return Match(reason=reason, priority=PRIORITY_FIRMWARE_ATTRIBUTES)

    def read(self, machine: Machine, inventory: Inventory) -> BiosState:
        folders = sorted((machine.root / CLASS).glob("*/attributes/*/current_value"))
        settings = [read_setting(file.parent, machine.root) for file in folders]
        return BiosState(
            vendor=find_vendor(inventory.system.vendor),
            settings=[setting for setting in settings if setting is not None],
            restart_pending=any(
                _read(file) == "1" for file in (machine.root / CLASS).glob("*/attributes/pending_reboot")
            ),
        )

    def plan(
        self, state: BiosState, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        planned = super().plan(state, template, secrets, forecast)
        if state.restart_pending:
            planned.notes.append(
                "the BIOS has changes that wait for a restart; what it shows is as it will be then"
            )
        return planned

    def set(self, machine: Machine, details: Sequence[SetDetail], password: str | None) -> None:
        """Write every setting, the password first. The kernel answers each write, so a refusal has its setting."""
        for folder in sorted((machine.root / CLASS).glob("*/authentication/*")):
            if password is not None and _is_set(folder):
                _write(folder / "current_password", password, "the password of the setup")
        for detail in details:
            if not detail.staged:
                file = machine.root / detail.place / "current_value"
                _write(file, str(detail.value), f"{detail.name} = {detail.value}")
        for folder in sorted((machine.root / CLASS).glob("*/attributes/save_settings")):
            if folder.read_text(errors="replace").strip() == "bulk":
                _write(folder, "save", "what was set (save_settings)")


def read_setting(folder: Path, root: Path) -> Setting | None:
    """One attribute; None for one that cannot be read, as passwords cannot."""
    current = _read(folder / "current_value")
    kind = TYPES.get(_read(folder / "type") or "string", "string")
    if current is None or is_secret(folder.name):
        return None
    # The kernel separates values with semicolons; think-lmi of older kernels with commas.
    text = _read(folder / "possible_values") or ""
    allowed = tuple(word.strip() for word in text.replace(",", ";").split(";") if word.strip())
    bounds = ("min_value", "max_value") if kind == "integer" else ("min_length", "max_length")
    low, high = (_read_number(folder / name) for name in bounds)
    default = _read(folder / "default_value")
    return Setting(
        name=folder.name,
        title=_read(folder / "display_name") or "",
        type=kind,  # type: ignore[arg-type]
        current=int(current) if kind == "integer" and current.lstrip("-").isdigit() else current,
        default=int(default) if kind == "integer" and default and default.lstrip("-").isdigit() else default,
        allowed=allowed if kind == "enum" else (),
        minimum=low,
        maximum=high,
        step=_read_number(folder / "scalar_increment"),
        read_only=not (folder / "current_value").stat().st_mode & 0o222,
        place=str(folder.relative_to(root)),
    )


def _is_set(folder: Path) -> bool:
    return (folder / "current_password").exists() and _read(folder / "is_enabled") == "1"


def _read(file: Path) -> str | None:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return None


def _read_number(file: Path) -> int | None:
    text = _read(file) or ""
    return int(text) if text.lstrip("-").isdigit() else None


def _write(file: Path, value: str, what: str) -> None:
    try:
        file.write_text(value)
    except OSError as cause:
        hints = {13: "the setup has a password: bios.password", 1: "the setup has a password: bios.password"}
        reason = cause.strerror or str(cause)
        raise DriverError(
            f"the BIOS did not take {what}: {reason}", hint=hints.get(cause.errno or 0, "")
        ) from cause
