"""The table of the prepared next round; it belongs to the tables of `schema`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from store.columns import Base


class PreparedRoundRow(Base):
    """The one batch that is kept ready."""

    __tablename__ = "prepared_round"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    after_round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    created_at: Mapped[datetime]
    learner: Mapped[dict[str, Any]] = mapped_column(JSON)
    batch: Mapped[dict[str, Any]] = mapped_column(JSON)
