"""The table of the audit log."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from bootos.server.store.table.column import Base, read_clock


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


class Retention(Base):
    """Since when this database is one from which old rows are removed, and what the clock said when the server looked
    last; one row."""

    __tablename__ = "retention"

    id: Mapped[int] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(default=read_clock)
    seen_at: Mapped[datetime | None]
