"""`bootos machine`."""

from typing import Annotated

import typer
from rich.text import Text

from bootos.server.client import Client
from bootos.server.command.option import MachineArgument, Output, cell, operator_command

machine_app = typer.Typer(no_args_is_help=True, epilog="Example: bootos machine list")


@operator_command(machine_app, "list")
def list_machines(client: Client, out: Output) -> None:
    """List the machines.

    Example: bootos machine list
    """
    columns = {
        "id": "ID",
        "sn": "SERIAL NUMBER",
        "state": "STATE",
        "vendor": "VENDOR",
        "product": "PRODUCT",
        "supported": "SUPPORTED",
        "address": "ADDRESS",
        "active_job": "JOB",
        "last_heard_at": "LAST HEARD",
    }
    out.table(client.call("GET", "machines"), columns, "no machine has registered yet")


@operator_command(machine_app, "show")
def show_machine(client: Client, out: Output, machine: MachineArgument) -> None:
    """Show a machine; with --json its whole inventory.

    Example: bootos machine show SN001
    """
    value = client.call("GET", "machines", machine)
    if out.as_json:
        out.json(value)
        return
    value["mac"] = [mac["mac"] + (" (PXE)" if mac["bound"] else "") for mac in value["macs"]]
    keys = {
        "id": "id",
        "sn": "serial number",
        "state": "state",
        "vendor": "vendor",
        "product": "product",
        "bios_version": "BIOS version",
        "bmc_version": "BMC version",
        "supported": "in the support list",
        "why_unsupported": "why not",
        "developer": "developer mode",
        "address": "address",
        "mac": "MAC addresses",
        "settings": "settings",
        "drivers": "drivers",
        "active_job": "active job",
        "jobs": "jobs",
        "last_heard_at": "last heard",
        "claims": "refused claims",
    }
    out.pairs(value, keys)
    if value["refused_claims"]:
        out.console.print(Text("\nAnother client claimed this machine's identity and was refused:", "red"))
        columns = {"address": "FROM", "count": "TIMES", "last_at": "LAST", "boot_id": "BOOT"}
        out.table(value["refused_claims"], columns, "")
        out.console.print(f"when this is settled: bootos machine acknowledge {value['sn']}", markup=False)
    inventory = value["inventory"]
    for section in ("disks", "nics") if inventory else ():
        rows = inventory[section]
        columns = {
            "disks": {"index": "#", "path": "DISK", "type": "TYPE", "size_bytes": "BYTES", "model": "MODEL"},
            "nics": {"name": "NIC", "mac": "MAC", "driver": "MODULE", "link": "LINK", "is_pxe": "PXE"},
        }[section]
        out.console.print()
        out.table(rows, columns, f"no {section}")


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
            "manage_gateway. An empty value removes the key.",
        ),
    ],
) -> None:
    """Say what the machine shall be called, for PXE templates and answer files. An unknown one is enrolled.

    Example: bootos machine set SN001 hostname=db1 address=10.0.0.5/24 gateway=10.0.0.1
    """
    given = dict(value.partition("=")[::2] for value in values)
    if any("=" not in value for value in values):
        raise typer.BadParameter("must be KEY=VALUE", param_hint="KEY=VALUE")
    answer = client.call("PATCH", "machines", machine, "settings", body=given)
    out.say(f"machine {answer['sn']}: {cell('settings', answer['settings'])}", answer)


@operator_command(machine_app, "acknowledge")
def acknowledge(client: Client, out: Output, machine: MachineArgument) -> None:
    """Say that you have seen the refused claims of a machine's identity; another one is shown again.

    Example: bootos machine acknowledge SN001
    """
    answer = client.call("POST", "machines", machine, "acknowledge")
    out.say(f"machine {answer['sn']}: the refused claims are acknowledged", answer)


@operator_command(machine_app, "delete")
def delete_machine(client: Client, out: Output, machine: MachineArgument) -> None:
    """Delete a machine, its jobs, logs, MAC addresses and PXE files.

    Example: bootos machine delete SN001
    """
    client.call("DELETE", "machines", machine)
    out.say(f"machine {machine} was deleted")
