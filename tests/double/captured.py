"""The captured machines of golden/hardware/machines, as roots that the inventory is read from."""

from pathlib import Path

from bootos.hardware.capture import Capture, Replay, build_tree, read_capture
from bootos.hardware.inventory import collect_inventory
from bootos.wire.inventory import Inventory

MACHINES = Path(__file__).parents[1] / "golden/hardware/machines"
NAMES = sorted(path.stem for path in MACHINES.glob("*.json") if not path.name.endswith(".inventory.json"))
PCI_IDS = Path(__file__).parents[1] / "golden/hardware/pci/pci.ids"


def build_machine(name: str, root: Path) -> tuple[Path, Capture]:
    capture = read_capture(MACHINES / f"{name}.json")
    build_tree(capture, root)
    names = root / "usr/share/misc/pci.ids"
    names.parent.mkdir(parents=True)
    names.write_bytes(PCI_IDS.read_bytes())
    return root, capture


def read_machine(name: str, root: Path, pxe_mac: str | None = None) -> Inventory:
    _, capture = build_machine(name, root)
    inventory = collect_inventory(root, Replay(capture), pxe_mac=pxe_mac)
    inventory.collected_at = "2026-01-01T00:00:00Z"
    return inventory
