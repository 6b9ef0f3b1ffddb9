"""What a machine may be given: an order only when it is confirmed, a secret only when it was confirmed well enough and
over TLS. Every door that hands something to a machine asks here, of both protocols."""

from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.operation.secrecy import find_plain_bar
from bootos.server.store.table import Boot, Machine, read_clock

ENOUGH: dict[str, frozenset[str]] = {
    "words": frozenset({"words"}),
    "import": frozenset({"words", "person", "import", "earlier release"}),
    "rule": frozenset({"words", "person", "import", "earlier release", "rule"}),
}
"""How a machine must have been confirmed (`Machine.confirmed_by`) to be sent secrets, by `Settings.secrets_after`."""


def find_order_bar(context: Context, session: Session, machine: Machine, boot: Boot | None) -> str:
    """Why this machine gets no order now, as a sentence for its operator and its console; empty: it gets one. `boot`:
    the one that asks, None for an agent of Cloudboot v1."""
    if machine.doubt:
        return (
            f"{machine.doubt}: it gets nothing until an operator says that this is the machine, by "
            f"bootos machine confirm id:{machine.id}"
        )
    if machine.confirmed_at is None:
        return f"this machine is new: it gets nothing until it is confirmed, by bootos machine confirm id:{machine.id}"
    return ""


def find_secret_bar(context: Context, session: Session, machine: Machine, boot: Boot | None) -> str:
    """Why this machine gets no job that has secrets in it, in the same way. Asked only after `find_order_bar`."""
    settings = context.settings
    if bar := find_plain_bar(context, boot):
        return bar
    if machine.confirmed_by == "open" and settings.enrol == "open":
        return ""
    if machine.confirmed_by not in ENOUGH[settings.secrets_after]:
        return (
            f"this machine was confirmed by {machine.confirmed_by or 'nobody'}, and this server sends secrets only to "
            f"machines that were confirmed better (--secrets-after {settings.secrets_after}): compare the words that "
            f"its console shows, by bootos machine confirm id:{machine.id}"
        )
    return ""


def confirm(machine: Machine, how: str) -> None:
    """The machine is the one that it says to be; `how` is kept (`Machine.confirmed_by`)."""
    machine.confirmed_at, machine.confirmed_by, machine.doubt = read_clock(), how, ""


def settle_standing(context: Context, machine: Machine) -> None:
    """Confirm a machine that has just registered, if nobody needs to say so."""
    if machine.confirmed_at is None and context.settings.enrol == "open":
        confirm(machine, "open")
