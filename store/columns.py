"""The types of columns, and the base class of all tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Dialect, Double, Enum, MetaData, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase

from alworkbench.core.domain import (
    AnswerKind,
    Late,
    QuarantineCode,
    ReviewReason,
    ReviewState,
    Role,
    RoundState,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class UtcTime(TypeDecorator[datetime]):
    """A time, stored as whole microseconds since 1970 in UTC: exact, sortable, without a zone."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Microseconds since 1970."""
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """An aware time in UTC."""
        return None if value is None else EPOCH + value * MICROSECOND


def microseconds(value: datetime) -> int:
    """Whole microseconds since 1970. Raises ValueError for a time without a zone."""
    if value.tzinfo is None:
        raise ValueError(f"a time needs a time zone, found {value!r}")
    return (value - EPOCH) // MICROSECOND


def words_of(kind: type[StrEnum], name: str | None = None) -> Enum:
    """A text column that holds the values of `kind` and, by CHECK, nothing else.

    `name` is that of the CHECK, where a table has two such columns.
    """
    return Enum(
        kind,
        name=name or kind.__name__.lower(),
        native_enum=False,
        create_constraint=True,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


class Base(DeclarativeBase):
    """The tables of the store."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        float: Double(),
        datetime: UtcTime(),
        Role: words_of(Role),
        AnswerKind: words_of(AnswerKind),
        RoundState: words_of(RoundState),
        QuarantineCode: words_of(QuarantineCode),
        Late: words_of(Late),
        ReviewReason: words_of(ReviewReason),
        ReviewState: words_of(ReviewState),
    }
