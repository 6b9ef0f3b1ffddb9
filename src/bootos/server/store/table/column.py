"""What all tables share: their base, the types of their columns, and the clock that their times are from."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Dialect, MetaData, Text
from sqlalchemy import types as sql_types
from sqlalchemy.orm import DeclarativeBase


def read_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


class Moment(sql_types.TypeDecorator[datetime]):
    """A UTC time; SQLite has no time zones, so it is stored naive and read back as UTC."""

    impl = sql_types.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To what is stored."""
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From what is stored."""
        return value.replace(tzinfo=UTC) if value is not None else None


class Json(sql_types.TypeDecorator[Any]):
    """Plain values as JSON text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To what is stored."""
        return msgspec.json.encode(value).decode() if value is not None else None

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """From what is stored."""
        return msgspec.json.decode(value) if value is not None else None


class Base(DeclarativeBase):
    """Of all tables; names constraints as the migrations do."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Moment, dict[str, Any]: Json, list[str]: Json, str: Text}  # noqa: RUF012
