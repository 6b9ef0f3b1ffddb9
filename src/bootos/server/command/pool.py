"""`bootos pool`."""

from typing import Annotated

import typer

from bootos.server.command.client import Client
from bootos.server.command.option import MachineArgument, NameArgument, Output, operator_command

pool_app = typer.Typer(
    no_args_is_help=True, epilog="Example: bootos pool add oob 10.0.8.20-10.0.8.250/24 --gateway 10.0.8.1"
)

COLUMNS = {"name": "NAME", "addresses": "ADDRESSES", "gateway": "GATEWAY", "used": "USED", "free": "FREE"}


@operator_command(pool_app, "list")
def list_pools(client: Client, out: Output) -> None:
    """List the pools of addresses.

    Example: bootos pool list
    """
    out.table(client.call("GET", "pools"), COLUMNS, "there is no pool yet")


@operator_command(pool_app, "add")
def add_pool(
    client: Client,
    out: Output,
    name: NameArgument,
    addresses: Annotated[str, typer.Argument(metavar="FIRST-LAST/PREFIX", help="The addresses.")],
    gateway: Annotated[str, typer.Option(metavar="ADDRESS", help="The gateway of their network.")] = "",
) -> None:
    """Make a pool of IPv4 addresses: a template asks for one with <{pool:NAME}>, and the machine keeps it.

    Example: bootos pool add oob 10.0.8.20-10.0.8.250/24 --gateway 10.0.8.1
    """
    body = {"name": name, "addresses": addresses, "gateway": gateway}
    answer = client.call("POST", "pools", body=body)
    out.say(f"pool {answer['name']}: {answer['free']} addresses", answer)


@operator_command(pool_app, "show")
def show_pool(client: Client, out: Output, name: NameArgument) -> None:
    """Show who holds which address of a pool.

    Example: bootos pool show oob
    """
    value = client.call("GET", "pools", name)
    if out.as_json:
        out.json(value)
        return
    out.pairs(value, {key: title.lower() for key, title in COLUMNS.items()})
    out.line()
    out.table(value["held"], {"address": "ADDRESS", "sn": "MACHINE"}, "no machine holds an address")


@operator_command(pool_app, "free")
def free_address(client: Client, out: Output, name: NameArgument, machine: MachineArgument) -> None:
    """Take a machine's address back; its next job gets another one, or the same. Deleting a machine does it, too.

    Example: bootos pool free oob SN001
    """
    client.call("DELETE", "pools", name, "held", machine)
    out.say(f"machine {machine} holds no address of the pool {name} any more")


@operator_command(pool_app, "remove")
def remove_pool(client: Client, out: Output, name: NameArgument) -> None:
    """Remove a pool of which no machine holds an address.

    Example: bootos pool remove oob
    """
    client.call("DELETE", "pools", name)
    out.say(f"pool {name} was removed")
