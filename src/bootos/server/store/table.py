"""The tables, as SQLAlchemy 2 models. Written for SQLite and PostgreSQL alike; a change here needs a migration
in `migrations/versions`. Only `bootos.server` modules import this; nothing of it goes over the wire."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy import types as sql_types
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


def read_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


class Moment(sql_types.TypeDecorator[datetime]):
    """A UTC time; SQLite has no time zones, so it is stored naive and read back as UTC."""

    impl = sql_types.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None else None


class Json(sql_types.TypeDecorator[Any]):
    """Plain values as JSON text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return msgspec.json.encode(value).decode() if value is not None else None

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return msgspec.json.decode(value) if value is not None else None


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Moment, dict[str, Any]: Json, list[str]: Json, str: Text}  # noqa: RUF012


class Machine(Base):
    """A machine, known by its serial number. `sn_key` is the number folded: lookups ignore case.

    `settings` are what the operator said of it (host name, network), `variables` what else templates may ask for,
    `protocol` what its agent spoke last, `image_version` the image that it booted last, `saved` the newest state that
    its agent sent (`wire.saved.SavedState`).
    """

    __tablename__ = "machine"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    sn: Mapped[str]
    sn_key: Mapped[str] = mapped_column(unique=True)
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
    boot_pk: Mapped[int | None]  # the boot that holds the identity now


class Pool(Base):
    """A list of IPv4 addresses, `first` to `last` in the network of `prefix_length`; machines get theirs from it."""

    __tablename__ = "pool"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    first: Mapped[str]
    last: Mapped[str]
    prefix_length: Mapped[int]
    gateway: Mapped[str] = mapped_column(default="")


class Allotment(Base):
    """What a machine was given out of a series and keeps as long as it exists: an address of a pool (`pool:NAME`, the
    address as a number), or its number in a group (`number:GROUP`)."""

    __tablename__ = "allotment"
    __table_args__ = (UniqueConstraint("series", "machine_id"), UniqueConstraint("series", "value"))

    id: Mapped[int] = mapped_column(primary_key=True)
    series: Mapped[str]
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"), index=True)
    value: Mapped[int] = mapped_column(BigInteger)


class Boot(Base):
    """One boot of a machine and its session. `serial` counts the registrations within the boot: an agent that
    was started again in the same boot gets a new session. `closing`: it said that it is going to reboot. `abilities`:
    what it may be sent beyond what every agent takes (`wire.ability`)."""

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
    closing: Mapped[bool] = mapped_column(default=False)
    abilities: Mapped[list[str]] = mapped_column(default=list)


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


class Template(Base):
    """A template as the operator wrote it. `version` grows with every change of the text."""

    __tablename__ = "template"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(default="")
    format: Mapped[str]
    text: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    updated_at: Mapped[datetime] = mapped_column(default=read_clock)


class PxeTemplate(Base):
    """What a machine's per-MAC PXE file will hold, and the answer file its installer fetches.
    `reports`: the system it boots reports its progress, so the job ends when that says so."""

    __tablename__ = "pxe_template"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    content: Mapped[str]
    answer: Mapped[str] = mapped_column(default="")
    reports: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    updated_at: Mapped[datetime] = mapped_column(default=read_clock)


class Secret(Base):
    """An encrypted value (Fernet)."""

    __tablename__ = "secret"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
    updated_at: Mapped[datetime] = mapped_column(default=read_clock)


class Support(Base):
    """A line of the support list: wildcard patterns on vendor (and its `aliases`) and product, case ignored; ranges of
    BIOS and BMC versions; the sections of a template that may be configured, none for all. `note`: where it is from."""

    __tablename__ = "support"
    __table_args__ = (UniqueConstraint("vendor", "product", "bios", "bmc"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    vendor: Mapped[str]
    product: Mapped[str]
    aliases: Mapped[list[str]] = mapped_column(default=list)
    bios: Mapped[str] = mapped_column(default="")
    bmc: Mapped[str] = mapped_column(default="")
    allow: Mapped[list[str]] = mapped_column(default=list)
    note: Mapped[str] = mapped_column(default="")


class Image(Base):
    """A published image; its files and manifest lie in `<data>/images/VERSION`."""

    __tablename__ = "image"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(unique=True)
    note: Mapped[str] = mapped_column(default="")
    published_at: Mapped[datetime] = mapped_column(default=read_clock)
    published_by: Mapped[str] = mapped_column(default="")


class ImageDefault(Base):
    """Which image was made the default, one row each time: the last one is the default, the one before it is what a
    rollback goes to. Without a row it is the local one."""

    __tablename__ = "image_default"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=read_clock)


class ImagePin(Base):
    """The image of one machine, or of a model (wildcard patterns, as in the support list)."""

    __tablename__ = "image_pin"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str]
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"), unique=True)
    vendor: Mapped[str] = mapped_column(default="")
    product: Mapped[str] = mapped_column(default="")


class Job(Base):
    """One run of a template on a machine. It keeps its own copy of the template and the PXE template.

    `template_text` is what the operator wrote; `template` is what the machine gets: with its bases (`bases`: their
    names and versions) and this machine's values in it. `approval` is the plan of `plan_job`, as it was approved.

    `report` is the agent's last whole report (without log lines and inventory), `handed_to` the session that
    holds the order, `ended_at` None while the job is active: at most one such job per machine. `developer`: it ran
    in developer mode, and then `inventory_before` is the machine as it was before. What is large is read only when
    it is used (deferred): reports come often.
    """

    __tablename__ = "job"
    __table_args__ = (
        Index(
            "uq_job_active",
            "machine_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},  # ids are never used again, even after the newest job was deleted
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(default="queued", index=True)
    mode: Mapped[str] = mapped_column(default="apply")
    template_name: Mapped[str]
    template_version: Mapped[int]
    template_format: Mapped[str]
    template_text: Mapped[str] = mapped_column(deferred=True)
    template: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    secret_names: Mapped[list[str]] = mapped_column(default=list)
    pxe_name: Mapped[str] = mapped_column(default="")
    pxe_content: Mapped[str] = mapped_column(default="", deferred=True)
    pxe_answer: Mapped[str] = mapped_column(default="", deferred=True)
    pxe_reports: Mapped[bool] = mapped_column(default=True)
    pxe_file: Mapped[str] = mapped_column(default="")
    skip_hardware: Mapped[bool] = mapped_column(default=False)
    skip_reason: Mapped[str] = mapped_column(default="")
    reboot: Mapped[bool] = mapped_column(default=True)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    attempt: Mapped[int] = mapped_column(default=0)
    handed_to: Mapped[str] = mapped_column(default="")
    said: Mapped[str] = mapped_column(default="")
    report: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    bases: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    plan_job: Mapped[int | None]
    approval: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    developer: Mapped[bool] = mapped_column(default=False)
    inventory_before: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    message: Mapped[str] = mapped_column(default="")
    progress: Mapped[float | None]
    created_by: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=read_clock)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    machine: Mapped[Machine] = relationship(lazy="joined")


class LogLine(Base):
    """A line of a machine's log. `boot_pk` and `n` are the agent's own numbering and make storing idempotent;
    lines of the server itself and of v1 agents have none."""

    __tablename__ = "log_line"
    __table_args__ = (
        UniqueConstraint("boot_pk", "n"),
        Index("ix_log_line_job_id", "job_id", "seq"),
        {"sqlite_autoincrement": True},
    )

    seq: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"), index=True)
    job_id: Mapped[int | None]
    boot_pk: Mapped[int | None]
    n: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[str]
    level: Mapped[str] = mapped_column(default="info")
    source: Mapped[str] = mapped_column(default="agent")
    text: Mapped[str]


class Audit(Base):
    """What an operator did."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=read_clock)
    actor: Mapped[str]
    address: Mapped[str] = mapped_column(default="")
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[str] = mapped_column(default="")
