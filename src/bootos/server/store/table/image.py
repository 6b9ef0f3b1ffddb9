"""The tables of images: what is published, what was the default, what is pinned."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bootos.server.store.table.column import Base, read_clock


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
