"""The tables of machines: who they are, their boots, their MACs, and who else said to be them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from bootos.server.store.table.column import Base, read_clock


class Machine(Base):
    """A machine, known by its serial number, or by what it has in place of one: `known_by` says which (`wire.identity`;
    empty where that is not known). `sn_key` is the name folded: lookups ignore case. Other words for it are aliases.

    `settings` are what the operator said of it (host name, network), `variables` what else templates may ask for,
    `protocol` what its agent spoke last, `image_version` the image that it booted last, `saved` the newest state that
    its agent sent (`wire.saved.SavedState`).

    `confirmed_at` is None while nobody said that this is the machine it says to be; `confirmed_by` is how that was
    said (`operation.standing`), `doubt` why the boot that speaks for it now is not believed. What it was known by then
    are its rows of `Mark`; `changes`: what of that has changed since and was accepted, until an operator has seen it.
    `by_itself`: it made itself known, from this `network`, and no operator has named it.
    """

    __tablename__ = "machine"
    __table_args__ = (
        Index(
            "ix_machine_new",
            "network",
            sqlite_where=text("by_itself AND confirmed_at IS NULL"),
            postgresql_where=text("by_itself AND confirmed_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sn: Mapped[str]
    sn_key: Mapped[str] = mapped_column(unique=True)
    known_by: Mapped[str] = mapped_column(default="")
    vendor: Mapped[str] = mapped_column(default="")
    product: Mapped[str] = mapped_column(default="")
    bios_version: Mapped[str] = mapped_column(default="")
    bmc_version: Mapped[str] = mapped_column(default="")
    address: Mapped[str] = mapped_column(default="")
    protocol: Mapped[int] = mapped_column(default=0)
    developer: Mapped[bool] = mapped_column(default=False)
    agent_version: Mapped[str] = mapped_column(default="")
    image_version: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=read_clock)
    registered_at: Mapped[datetime | None]
    last_heard_at: Mapped[datetime | None]
    inventory: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    inventory_at: Mapped[datetime | None]
    drivers: Mapped[list[str]] = mapped_column(default=list)
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    variables: Mapped[dict[str, Any]] = mapped_column(default=dict)
    saved: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    saved_at: Mapped[datetime | None]
    boot_pk: Mapped[int | None]  # the boot that has the machine's identity now
    confirmed_at: Mapped[datetime | None]
    confirmed_by: Mapped[str] = mapped_column(default="")
    doubt: Mapped[str] = mapped_column(default="")
    changes: Mapped[str] = mapped_column(default="")
    by_itself: Mapped[bool] = mapped_column(default=False)
    network: Mapped[str] = mapped_column(default="")


IS_NEW = Machine.by_itself & Machine.confirmed_at.is_(None)
"""Machines that made themselves known, and that nobody has confirmed."""


class Alias(Base):
    """Another word for a machine; `key` is `name` folded. `held`: a name that it was known by. Else what it is called
    by itself only: a placeholder that its firmware has in the place of a serial number (agents of earlier releases call
    it so, and many others too), or a name that it did not get (`operation.naming`)."""

    __tablename__ = "alias"
    __table_args__ = (UniqueConstraint("machine_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"))
    name: Mapped[str]
    key: Mapped[str] = mapped_column(index=True)
    held: Mapped[bool] = mapped_column(default=False)
    since: Mapped[datetime] = mapped_column(default=read_clock)


class Boot(Base):
    """One boot of a machine and its session. `serial` counts the registrations within the boot: an agent that
    was started again in the same boot gets a new session. `closing`: it said that it is going to reboot. `abilities`:
    what it may be sent beyond what every agent takes (`wire.ability`). `secure`: it registered over TLS. `words`: those
    that its console shows, with blanks between them; empty where the agent cannot draw them; `compared`: a person has
    seen these there. `ca_sha256`: of the server's CA that it goes by; empty where it did not say one that the server
    has. `inventory`: what it tells, if that is not believed; else it is the machine's."""

    __tablename__ = "boot"
    __table_args__ = (UniqueConstraint("machine_id", "boot_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"))
    boot_id: Mapped[str]
    token_hash: Mapped[str | None] = mapped_column(unique=True)
    serial: Mapped[int] = mapped_column(default=1)
    developer: Mapped[bool] = mapped_column(default=False)
    started_at: Mapped[datetime] = mapped_column(default=read_clock)
    last_heard_at: Mapped[datetime] = mapped_column(default=read_clock)
    report_number: Mapped[int] = mapped_column(BigInteger, default=-1)
    log_next: Mapped[int] = mapped_column(BigInteger, default=0)
    log_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    closing: Mapped[bool] = mapped_column(default=False)
    abilities: Mapped[list[str]] = mapped_column(default=list)
    secure: Mapped[bool] = mapped_column(default=False)
    words: Mapped[str] = mapped_column(default="")
    compared: Mapped[bool] = mapped_column(default=False)
    ca_sha256: Mapped[str] = mapped_column(default="")
    inventory: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)


class Capture(Base):
    """The newest capture that a machine sent, and since when another one is wanted. `error`: why there is none."""

    __tablename__ = "capture"

    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"), primary_key=True)
    asked_at: Mapped[datetime | None]
    taken_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(default="")
    data: Mapped[bytes | None] = mapped_column(deferred=True)
    size_bytes: Mapped[int] = mapped_column(default=0)


class Claim(Base):
    """A registration that was refused because another client holds the identity; shown to the operator until it is
    acknowledged or old."""

    __tablename__ = "claim"

    id: Mapped[int] = mapped_column(primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"), index=True)
    boot_id: Mapped[str]
    address: Mapped[str]
    first_at: Mapped[datetime] = mapped_column(default=read_clock)
    last_at: Mapped[datetime] = mapped_column(default=read_clock)
    count: Mapped[int] = mapped_column(default=1)
    acknowledged_at: Mapped[datetime | None]


class Mac(Base):
    """A MAC address of a machine. `bound`: uploaded for PXE, and then no other machine may have it."""

    __tablename__ = "mac"
    __table_args__ = (
        UniqueConstraint("machine_id", "mac"),
        Index("uq_mac_bound", "mac", unique=True, sqlite_where=text("bound"), postgresql_where=text("bound")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"))
    mac: Mapped[str] = mapped_column(index=True)
    bound: Mapped[bool] = mapped_column(default=False)


class Mark(Base):
    """One value of what a machine was known by when it was confirmed: its fingerprint are all of them. `kind`: `uuid`,
    `board`, `mac`, `tpm`; `value` is folded."""

    __tablename__ = "mark"
    __table_args__ = (UniqueConstraint("machine_id", "kind", "value"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"))
    kind: Mapped[str]
    value: Mapped[str] = mapped_column(index=True)


class ExpectedMac(Base):
    """A MAC that the operator's list has for a machine: who shows it under that serial number is that machine."""

    __tablename__ = "expected_mac"
    __table_args__ = (UniqueConstraint("machine_id", "mac"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"))
    mac: Mapped[str] = mapped_column(index=True)


class EnrolRule(Base):
    """Confirms machines that register from this network, of this vendor, until it ends. `network` and `vendor` are
    empty where any will do; `vendor` is a pattern as in the support list. `ended`: it was seen to be over, and stays so
    whatever the clock says."""

    __tablename__ = "enrol_rule"

    id: Mapped[int] = mapped_column(primary_key=True)
    network: Mapped[str] = mapped_column(default="")
    vendor: Mapped[str] = mapped_column(default="")
    created_by: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=read_clock)
    ends_at: Mapped[datetime]
    ended: Mapped[bool] = mapped_column(default=False)
    confirmed: Mapped[int] = mapped_column(default=0)
