"""A machine as `bootos machine show` prints it: what it is known as, its disks and NICs, RAID controllers and notes."""

from collections import Counter
from typing import Any

from bootos.server.command.option import Output

KINDS = {"serial": "serial number", "uuid": "UUID", "board": "board's serial number", "mac": "MAC address"}
"""What a machine is known by, in words."""


def print_machine(out: Output, value: dict[str, Any]) -> None:
    """Print what the API says of a machine, in lines for people."""
    value["id"] = f"id:{value['id']}"  # the form that commands take
    value["mac"] = [mac["mac"] + (" (PXE)" if mac["bound"] else "") for mac in value["macs"]]
    for part in ("known", "told"):
        value[part] = [
            text for name, item in (value.get(part) or {}).items() if (text := _say_known(name, item))
        ]
    value["known_by"] = KINDS.get(value["known_by"], value["known_by"])
    value["called_alike"] = [f"id:{other['id']} ({other['name']})" for other in value["namesakes"]]
    keys = {
        "id": "id",
        "sn": "known as",
        "known_by": "which is its",
        "former_names": "former names",
        "called_alike": "called alike",
        "said_names": "calls itself",
        "state": "state",
        "confirmed_by": "confirmed by",
        "confirmed_at": "confirmed",
        "words": "words on its console",
        "known": "known by",
        "told": "tells now",
        "changes": "has changed",
        "expected_macs": "listed MACs",
        "vendor": "vendor",
        "product": "product",
        "bios_version": "BIOS version",
        "bmc_version": "BMC version",
        "supported": "in the support list",
        "why_unsupported": "why not",
        "developer": "developer mode",
        "address": "address",
        "image_version": "runs image",
        "next_image": "next image",
        "next_image_by": "which is said by",
        "mac": "MAC addresses",
        "settings": "settings",
        "variables": "variables",
        "drivers": "drivers",
        "active_job": "active job",
        "jobs": "jobs",
        "last_heard_at": "last heard",
        "claims": "refused claims",
        "saved_at": "state saved",
    }
    out.pairs(value, keys)
    if value.get("more_jobs"):
        out.line(f"older jobs: bootos job list --machine {value['id']}")
    if value.get("doubt"):
        out.line()
        out.line(f"What registers under this name is not believed: {value['doubt']}", "red")
        out.line(f"if it is the same machine with another board: bootos machine confirm {value['id']}")
    elif value["state"] == "new":
        out.line()
        out.line(f"It gets nothing until it is confirmed: bootos machine confirm {value['id']}", "yellow")
    elif value.get("words") and not value.get("compared"):
        out.line()
        out.line(f"Nobody has compared these words with its console: bootos machine confirm {value['id']}")
    if value.get("alike") and value["state"] in ("new", "doubted"):
        others = ", ".join(f"id:{number}" for number in value["alike"])
        out.line(
            f"It has the UUID, the board's serial number or a MAC of {others}: no row and no rule confirms it",
            "red",
        )
    for mac in value["macs"]:
        if mac.get("also"):
            others = ", ".join(f"id:{number}" for number in mac["also"])
            out.line(f"{mac['mac']} is shown by {others}, too: no PXE file is written for it", "red")
    if value["refused_claims"]:
        out.line()
        out.line("Another client claimed this machine's identity and was refused:", "red")
        columns = {"address": "FROM", "count": "TIMES", "last_at": "LAST", "boot_id": "BOOT"}
        out.table(value["refused_claims"], columns, "")
        out.line(f"when this is settled: bootos machine acknowledge {value['id']}")
    inventory = value["inventory"]
    for section in ("disks", "nics") if inventory else ():
        rows = inventory[section]
        columns = {
            "disks": {"index": "#", "path": "DISK", "type": "TYPE", "size_bytes": "BYTES", "model": "MODEL"},
            "nics": {"name": "NIC", "mac": "MAC", "driver": "MODULE", "link": "LINK", "is_pxe": "PXE"},
        }[section]
        out.line()
        out.table(rows, columns, f"no {section}")
    _tell_raid(out, inventory["raid"] if inventory else [])
    for note in inventory["notes"] if inventory else ():
        out.line(f"note: {note}")


def _say_known(name: str, item: str | list[str]) -> str:
    """One part of what a machine is known by; empty where there is nothing."""
    title = {"uuid": "UUID", "board": "board", "macs": "MACs"}[name]
    text = " ".join(item) if isinstance(item, list) else item
    return f"{title} {text}" if text else ""


def _tell_raid(out: Output, controllers: list[dict[str, Any]]) -> None:
    """Each RAID controller or HBA, with its arrays and how many drives are in which state."""
    rows = [
        {
            "name": entry["model"] or entry["name"],
            "pci_address": entry["pci_address"],
            "firmware": entry["firmware"],
            "arrays": ", ".join(
                " ".join(filter(None, [array["name"], f"RAID {array['level']}", array["state"]]))
                for array in entry["arrays"]
            ),
            "drives": ", ".join(
                f"{count} {state}"
                for state, count in Counter(drive["state"] or "-" for drive in entry["drives"]).items()
            ),
        }
        for entry in controllers
    ]
    if rows:
        columns = {
            "name": "CONTROLLER",
            "pci_address": "PCI",
            "firmware": "FIRMWARE",
            "arrays": "ARRAYS",
            "drives": "DRIVES",
        }
        out.line()
        out.table(rows, columns, "")
