"""The tables of what operators write: templates, PXE templates, secrets, the support list."""

from datetime import datetime

from sqlalchemy import LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bootos.server.store.table.column import Base, read_clock


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
