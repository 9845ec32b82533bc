"""The table of labels that another project recorded; it belongs to the tables of `schema`."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from store.columns import Base


class LabelOriginRow(Base):
    """Where and how a label was asked for in its project. Rows are only ever added: see `triggers`."""

    __tablename__ = "label_origin"

    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"), primary_key=True)
    round: Mapped[int | None] = mapped_column(BigInteger)
    position: Mapped[int | None] = mapped_column(BigInteger)
    strategy: Mapped[str | None]
    score: Mapped[float | None]
    draw_probability: Mapped[float | None]
    suggestion: Mapped[str | None]
    suggestion_probability: Mapped[float | None]
    calibration: Mapped[str | None]
    class_list: Mapped[int | None] = mapped_column(BigInteger)
    posterior: Mapped[int | None] = mapped_column(BigInteger)
    learner: Mapped[int | None] = mapped_column(BigInteger)
    project: Mapped[str | None]
