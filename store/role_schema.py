"""The table of changes of roles; it belongs to the tables of `schema`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from alworkbench.core.domain import Role
from store.columns import Base, words_of


class RoleChangeRow(Base):
    """A change of the role of an image. Rows are only ever added: see `triggers`."""

    __tablename__ = "role_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    former: Mapped[Role] = mapped_column(words_of(Role, "former"))
    role: Mapped[Role]
    recorded_at: Mapped[datetime]
