"""`bootos machine`."""

import base64
import csv
import io
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from bootos.errors import BootosError
from bootos.printable import show_line
from bootos.screen import write_out
from bootos.server.command.client import Client
from bootos.server.command.option import MachineArgument, Output, cell, operator_command, read_file
from bootos.server.command.template import format_yaml
from bootos.waiting import find_within

machine_app = typer.Typer(no_args_is_help=True, epilog="Example: bootos machine list")


KINDS = {"serial": "serial number", "uuid": "UUID", "board": "board's serial number", "mac": "MAC address"}
"""What a machine is known by, in words."""


@operator_command(machine_app, "list")
def list_machines(client: Client, out: Output) -> None:
    """List the machines.

    Example: bootos machine list
    """
    columns = {
        "id": "ID",
        "sn": "KNOWN AS",
        "known_by": "BY",
        "state": "STATE",
        "vendor": "VENDOR",
        "product": "PRODUCT",
        "supported": "SUPPORTED",
        "address": "ADDRESS",
        "image_version": "IMAGE",
        "active_job": "JOB",
        "last_heard_at": "LAST HEARD",
    }
    rows = client.call("GET", "machines")
    if not out.as_json:
        rows = [{**row, "id": f"id:{row['id']}"} for row in rows]  # the form that commands take
    out.table(rows, columns, "no machine has registered yet")


@operator_command(machine_app, "show")
def show_machine(client: Client, out: Output, machine: MachineArgument) -> None:
    """Show a machine; with --json its whole inventory.

    Example: bootos machine show SN001
    """
    value = client.call("GET", "machines", machine)
    if out.as_json:
        out.json(value)
        return
    value["id"] = f"id:{value['id']}"  # the form that commands take
    value["mac"] = [mac["mac"] + (" (PXE)" if mac["bound"] else "") for mac in value["macs"]]
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


@operator_command(machine_app, "set")
def set_machine(
    client: Client,
    out: Output,
    machine: MachineArgument,
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE...",
            help="hostname, address, netmask, gateway, vlan, trunk, bonding, manage_ip, manage_netmask, "
            "manage_gateway; any other key is a variable for templates. An empty value removes the key.",
        ),
    ],
) -> None:
    """Say what the machine shall be called, for PXE templates and answer files, and give it variables for templates. An
    unknown machine is enrolled. Values may hold placeholders: <{pool:NAME}>, <{number:03}>, <{sn}>.

    Example: bootos machine set SN001 hostname='db-<{number:03}>' address=10.0.0.5/24 gateway=10.0.0.1 rack=r12
    """
    given = dict(value.partition("=")[::2] for value in values)
    if any("=" not in value for value in values):
        raise typer.BadParameter("must be KEY=VALUE", param_hint="KEY=VALUE")
    answer = client.call("PATCH", "machines", machine, "settings", body=given)
    said = {**answer["settings"], **answer["variables"]}
    out.say(f"machine {answer['sn']}: {cell('settings', said)}", answer)


@operator_command(machine_app, "import")
def import_machines(
    client: Client,
    out: Output,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv file with a column `sn`; - is stdin.")],
) -> None:
    """Set many machines at once from a CSV file: a column `sn`, and one for each setting or variable. All is taken in,
    or nothing. Empty cells change nothing; unknown machines are enrolled.

    Example: bootos machine import racks.csv
    """
    rows = read_rows(file)
    answer = client.call("POST", "import", body=rows)
    out.say(f"{answer['count']} machine(s) were set, {answer['new']} of them new", answer)


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a CSV file, each with its line. Raises BootosError."""
    reader = csv.reader(io.StringIO(read_file(file).removeprefix("\ufeff")))
    header = [name.strip() for name in next(reader, [])]
    keys = ["sn" if name.casefold() in ("sn", "serial", "serial number") else name for name in header]
    if keys.count("sn") != 1 or len(set(keys)) != len(keys) or "" in keys:
        raise BootosError(
            f"the first line of {file} must name the columns, each once, and one of them must be sn",
            hint="as sn,hostname,rack",
        )
    rows = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(keys):
            raise BootosError(f"{file}: line {reader.line_num} has {len(cells)} columns, not {len(keys)}")
        values = {key: cell.strip() for key, cell in zip(keys, cells, strict=True)}
        rows.append({"sn": values.pop("sn"), "line": reader.line_num, "values": values})
    return rows


@operator_command(machine_app, "acknowledge")
def acknowledge(client: Client, out: Output, machine: MachineArgument) -> None:
    """Say that you have seen the refused claims of a machine's identity; another one is shown again.

    Example: bootos machine acknowledge SN001
    """
    answer = client.call("POST", "machines", machine, "acknowledge")
    out.say(f"machine {answer['sn']}: the refused claims are acknowledged", answer)


@operator_command(machine_app, "rename")
def rename_machine(
    client: Client,
    out: Output,
    machine: MachineArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The serial number, UUID or other name.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="The machine that has this name is the same: its record goes.")
    ] = False,
) -> None:
    """Say what a machine is known as, with its jobs, pins and settings: for one of which the server was not certain
    that it is the same. Its former name stays another word for it.

    Example: bootos machine rename id:3 4c4c4544-0039-3010-8048-b7c04f384432 --replace
    """
    answer = client.call("POST", "machines", machine, "rename", body={"sn": name, "replace": replace})
    out.say(f"machine id:{answer['id']} is known as {answer['sn']}", answer)


@operator_command(machine_app, "state")
def show_state(client: Client, out: Output, machine: MachineArgument) -> None:
    """Print the machine's inventory and what its drivers read last, as JSON, for `bootos template check --inventory`.

    Example: bootos machine state SN001 > saved.json
    """
    out.json(client.call("GET", "machines", machine, "state"))


@operator_command(machine_app, "capture")
def capture_machine(
    client: Client,
    out: Output,
    machine: MachineArgument,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Where to write it; without one capture-MACHINE.json.gz."),
    ] = None,
    is_anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Replace serial numbers, MACs, addresses, names and the like.")
    ] = False,
    is_last: Annotated[
        bool, typer.Option("--last", help="Take the one that the server has, and ask for none.")
    ] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="How long to wait.")
    ] = 300.0,
) -> None:
    """Have the machine's agent write all that is read of the machine into one file, for `bootos capture show`. Nothing
    is changed on the machine. An agent takes it between jobs.

    Example: bootos machine capture SN001 machine.json.gz
    """
    if not is_last:
        client.call("POST", "machines", machine, "capture")

        def find_end() -> dict[str, Any] | None:
            view: dict[str, Any] = client.call("GET", "machines", machine, "capture")
            return view if view["asked_at"] is None else None

        view = find_within(find_end, timeout_s, pause_s=1.0)
        if view is None:
            raise BootosError(
                f"machine {machine} has not sent its capture for {timeout_s:g} s",
                hint="it is waited for for an hour; bootos machine capture --last fetches it",
            )
        if view["error"]:
            raise BootosError(f"machine {machine} took no capture: {show_line(view['error'])}")
    answer = client.call("GET", "machines", machine, "capture", "file")
    data = base64.b64decode(answer["data"])
    if is_anonymous:
        from bootos.engine.capture.replayed import make_anonymous  # imported here, as few ask for it

        data = make_anonymous(data)
    file = file or Path(f"capture-{re.sub(r'[^A-Za-z0-9._-]', '-', answer['sn'])}.json.gz")
    file.write_bytes(data)
    told = {"sn": answer["sn"], "taken_at": answer["taken_at"], "file": str(file), "size_bytes": len(data)}
    out.say(f"{file}: {len(data)} bytes, taken at {answer['taken_at']}; bootos capture show {file}", told)


@operator_command(machine_app, "export-template")
def export_template(client: Client, out: Output, machine: MachineArgument) -> None:
    """Print the template that describes the machine as it is configured: applying it there plans nothing.

    Example: bootos machine export-template SN001 > golden.yaml
    """
    value = client.call("GET", "machines", machine, "template")
    if out.as_json:
        out.json(value)
        return
    for line in (f"{value['sn']}, as it was at {value['saved_at']}", *value["notes"]):
        write_out(f"# {show_line(line)}\n")
    write_out(format_yaml(value["template"]))


@operator_command(machine_app, "delete")
def delete_machine(client: Client, out: Output, machine: MachineArgument) -> None:
    """Delete a machine, its jobs, logs, MAC addresses and PXE files.

    Example: bootos machine delete SN001
    """
    client.call("DELETE", "machines", machine)
    out.say(f"machine {machine} was deleted")
