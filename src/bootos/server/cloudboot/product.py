"""The product information of a v1 agent (`report/deviceProductInfo`) as a machine with an inventory."""

from bootos.server.cloudboot.caller import Sender
from bootos.server.cloudboot.policy import hear, is_open
from bootos.server.context import Context
from bootos.server.limit import FIXED
from bootos.server.mark import read_stored_inventory
from bootos.server.operation.admission import admit, check_new_rate, check_rate
from bootos.server.operation.claim import record_claim
from bootos.server.operation.identity import end_doubt
from bootos.server.operation.inventory import store_inventory
from bootos.server.operation.mark import find_refusal
from bootos.server.operation.naming import NameTakenError, find_or_enrol_told, settle_names
from bootos.server.operation.nic import is_address
from bootos.server.operation.standing import settle_standing
from bootos.server.operation.told import read_told_v1
from bootos.server.store.table import Machine, read_clock
from bootos.wire import cloudboot_v1 as v1
from bootos.wire.inventory import Cpu, Inventory, Nic, System

MOST_PARTS = FIXED.v1_parts  # NICs, DIMMs and disks that one report may list


def take_product(context: Context, said: v1.ProductInfo, sender: Sender) -> str:
    """Enrol the machine, or renew what is known of it; returns why not, as a sentence: another client speaks for it, or
    the name was another machine's. Nothing is renewed then, the claim is recorded. Raises UnusableError when the serial
    number cannot be one, TooManyError when so many new ones, or registrations of this address, are not taken."""
    check_rate(context, sender.address)
    with context.store.write() as session:
        inventory = read_inventory(said)
        told = read_told_v1(said.sn, inventory, said.mac, sender.address)
        try:
            machine = find_or_enrol_told(session, told)
        except NameTakenError as taken:
            record_claim(session, taken.owner, "cloudboot v1", sender.address)
            return taken.tell(told.name).message
        if machine.by_itself and machine.registered_at is None:
            admit(context, session, machine, sender.address)
        check_new_rate(context, machine, sender.address)
        refusal = find_refusal(session, machine, told.marks, v1=True)
        if refusal and context.settings.enrol != "open":
            record_claim(session, machine, "cloudboot v1", sender.address)
            return refusal
        bar = hear(context, session, machine, sender)
        if bar:
            return bar
        end_doubt(session, machine)
        machine.registered_at = read_clock()
        if is_open(context):
            addresses = (*(nic.ip for nic in said.nic), said.ip)
            machine.address = next((ip for ip in addresses if is_address(ip)), sender.address)
        machine.agent_version = f"{sender.agent[:60]}, cloudboot v1" if sender.is_ours else "cloudboot v1"
        machine.developer = False
        settle_names(session, machine, told)
        keep_marks(inventory, machine)
        store_inventory(context, session, machine, inventory, extra_macs=[said.mac])
        settle_standing(context, session, machine)
        return ""


def keep_marks(inventory: Inventory, machine: Machine) -> None:
    """What a v1 agent does not tell is not lost: by UUID and board the machine is told from others (`naming`)."""
    stored = read_stored_inventory(machine.inventory)
    if stored is not None:
        inventory.system.uuid, inventory.board.serial = stored.system.uuid, stored.board.serial


def read_inventory(said: v1.ProductInfo) -> Inventory:
    """The inventory of a v1 report: what it tells for certain. Sizes are free text there, so they become notes."""
    notes = [f"reported by a Cloudboot v1 agent; IsVm: {said.is_vm or '-'}"]
    notes += [f"memory {item.name}: {item.size}" for item in said.memory[:MOST_PARTS]]
    notes += [f"disk {item.name}: {item.size}" for item in said.disk[:MOST_PARTS]]
    for label, number in (("memory", said.memory_sum), ("disks", said.disk_sum)):
        notes += [f"sum of {label}: {number}"] if number else []
    for label, text in (("RAID", said.raid), ("OOB", said.oob), ("NIC device", said.nic_device)):
        notes += [f"{label}: {text}"] if text else []
    nics = [
        Nic(name=nic.name, mac=nic.mac, addresses=[nic.ip] if nic.ip else []) for nic in said.nic[:MOST_PARTS]
    ]
    inventory = Inventory(
        collected_at=read_clock().isoformat(timespec="seconds").replace("+00:00", "Z"),
        system=System(
            vendor=said.company,
            product=said.model_name or said.product or None,
            serial=said.sn,
            family=said.product,
        ),
        cpu=Cpu(model=said.cpu.model or None, cores=int(said.cpu.core) if said.cpu.core.isdigit() else None),
        nics=nics,
        virtual="unknown" if said.is_vm == "Yes" else None,
        notes=notes,
    )
    inventory.board.vendor = said.motherboard.name or None
    inventory.board.product = said.motherboard.model or None
    return inventory
