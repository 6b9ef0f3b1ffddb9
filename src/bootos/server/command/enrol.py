"""`bootos enrol`: rules that confirm machines as they register."""

from typing import Annotated

import typer

from bootos.server.command.client import Client
from bootos.server.command.option import Output, operator_command

EXAMPLE = "bootos enrol rule add --network 10.0.0.0/24 --vendor Dell --for 2h"

enrol_app = typer.Typer(no_args_is_help=True, epilog=f"Example: {EXAMPLE}")
rule_app = typer.Typer(no_args_is_help=True, epilog=f"Example: {EXAMPLE}")
enrol_app.add_typer(rule_app, name="rule", help="Rules that confirm machines as they register.")


@operator_command(rule_app, "add")
def add_rule(
    client: Client,
    out: Output,
    lasts: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long it lasts: 90m, 2h, 1d; 7d at most.")
    ],
    network: Annotated[str, typer.Option(metavar="NETWORK", help="Only from there, as 10.0.0.0/24.")] = "",
    vendor: Annotated[
        str, typer.Option(metavar="VENDOR", help="Only of this vendor, as in the support list.")
    ] = "",
) -> None:
    """Confirm every machine that registers from this network, of this vendor, for that long; those that wait now, too.
    Not a machine that is listed with other MACs, nor one whose name or MACs another one claims, too.

    Example: bootos enrol rule add --network 10.0.0.0/24 --vendor Dell --for 2h
    """
    body = {"network": network, "vendor": vendor, "lasts": lasts}
    typed = {"network": "--network", "vendor": "--vendor", "lasts": "--for"}
    answer = client.call("POST", "enrol-rules", body=body, typed=typed)
    out.say(
        f"rule {answer['id']} is in force until {answer['ends_at'][:19]}Z; it has confirmed {answer['confirmed']} "
        "machine(s) that waited",
        answer,
    )


@operator_command(rule_app, "list")
def list_rules(client: Client, out: Output) -> None:
    """List the rules, the newest first.

    Example: bootos enrol rule list
    """
    columns = {
        "id": "RULE",
        "network": "NETWORK",
        "vendor": "VENDOR",
        "in_force": "IN FORCE",
        "ends_at": "UNTIL",
        "confirmed": "CONFIRMED",
        "created_by": "BY",
    }
    out.table(client.call("GET", "enrol-rules"), columns, "there is no rule")


@operator_command(rule_app, "remove")
def remove_rule(
    client: Client, out: Output, rule: Annotated[int, typer.Argument(metavar="RULE", help="Its number.")]
) -> None:
    """Take a rule away; whom it confirmed stays confirmed.

    Example: bootos enrol rule remove 3
    """
    client.call("DELETE", "enrol-rules", rule)
    out.say(f"rule {rule} was removed")
