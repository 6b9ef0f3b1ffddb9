"""The tables of what is given out to machines: pools of addresses, and who holds what."""

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bootos.server.store.table.column import Base


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
