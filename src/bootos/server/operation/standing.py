"""What a machine may be given: an order only when it is confirmed, a secret only when it was confirmed well enough and
over TLS. Every door that hands something to a machine asks here, of both protocols."""

from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.store.table import Boot, Machine


def find_order_bar(context: Context, session: Session, machine: Machine, boot: Boot | None) -> str:
    """Why this machine gets no order now, as a sentence for its operator and its console; empty: it gets one. `boot`:
    the one that asks, None for an agent of Cloudboot v1."""
    return ""


def find_secret_bar(context: Context, session: Session, machine: Machine, boot: Boot | None) -> str:
    """Why this machine gets no job that has secrets in it, in the same way. Asked only after `find_order_bar`."""
    return ""
