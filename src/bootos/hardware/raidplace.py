"""What vendors' programs tell of RAID controllers, beside what PCI shows of them. Pure; called by
`inventory.collect_inventory`.
"""

from collections.abc import Sequence

from bootos.hardware.raidtool import RaidTool
from bootos.wire.inventory import Disk, RaidController


def add_told(
    hardware: list[RaidController],
    told: dict[str, list[RaidController] | None],
    tools: Sequence[RaidTool],
    disks: Sequence[Disk],
) -> list[str]:
    """Put what the programs told into the controllers that PCI shows, and add those that it does not. Returns a
    sentence for every controller whose arrays are not known."""
    titles = {tool.driver: tool.title for tool in tools}
    unread = list(hardware)
    placed: list[
        tuple[RaidController, str]
    ] = []  # with the driver that its PCI ids ask for, "" when they are not known
    for driver, controllers in told.items():
        for controller in controllers or ():
            _add_paths(controller, disks)
            twin = next((pair for pair in placed if _is_same(pair[0], controller)), None)
            if twin is not None:
                is_better = twin[1] == driver and twin[0].driver != driver
                # storcli shows a card with IR firmware as an HBA
                if is_better or (controller.driver and not twin[0].driver):
                    _replace(hardware, twin[0], controller)
                    placed[placed.index(twin)] = (controller, driver)
                continue
            same = _find_listed(unread, driver, controller, alone=len(controllers or ()) == 1)
            if same is None:
                hardware.append(controller)
                placed.append((controller, ""))
                continue
            unread = [entry for entry in unread if entry is not same]
            _replace(hardware, same, controller)
            placed.append((controller, same.driver))
    notes = []
    for entry in unread:
        why = "its driver comes with its tool in a layer"
        if entry.driver in told:
            title = titles[entry.driver]
            why = f"{title} {'is not installed' if told[entry.driver] is None else 'does not list it'}"
        notes.append(
            f"The arrays of the RAID controller {entry.model or ''} at {entry.pci_address} are not read: {why}."
        )
    return notes


def _is_same(one: RaidController, other: RaidController) -> bool:
    """Whether two programs list one card: those of HPE and Microchip both know cards with Microchip's chips."""
    if one.driver == other.driver:
        return False
    if one.pci_address and other.pci_address:
        return one.pci_address == other.pci_address
    return one.serial is not None and one.serial == other.serial


def _find_listed(
    unread: list[RaidController], driver: str, controller: RaidController, *, alone: bool
) -> RaidController | None:
    """The controller that PCI shows and the program means."""
    here = [entry for entry in unread if controller.pci_address == entry.pci_address]
    ours = [entry for entry in unread if entry.driver == driver]
    if here and controller.pci_address:
        return here[0]
    if alone and len(ours) == 1:
        return ours[0]  # there is only one, so its PCI address is not compared
    return ours[0] if ours and controller.pci_address is None else None


def _replace(hardware: list[RaidController], listed: RaidController, controller: RaidController) -> None:
    """Put what a program told in the place of what was known, in the list and (name and address) in itself."""
    place = next(n for n, entry in enumerate(hardware) if entry is listed)
    controller.name, controller.pci_address = listed.name, listed.pci_address or controller.pci_address
    controller.model = controller.model or listed.model
    hardware[place] = controller


def _add_paths(controller: RaidController, disks: Sequence[Disk]) -> None:
    for array in controller.arrays:
        uuid = (array.uuid or "").lower()
        same = [disk.path for disk in disks if uuid and _is_named(disk, uuid)]
        array.path = same[0] if len(same) == 1 else None


def _is_named(disk: Disk, uuid: str) -> bool:
    wwn = (disk.wwn or "").removeprefix("0x")
    return (len(wwn) >= 16 and uuid.startswith(wwn)) or (disk.serial or "").lower() == uuid
