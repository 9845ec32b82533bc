"""The tables. They have the names of `alworkbench.core.domain`; `README.md` lists them.

Rows never leave this package: repositories select columns and build frozen values. Rules that must hold
whatever the program does are constraints here (foreign keys, CHECK and UNIQUE), so that the database
refuses to break them. SQLAlchemy does not describe triggers; they are in `triggers`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from alworkbench.core.domain import AnswerKind, Late, QuarantineCode, Role, RoundState
from store.columns import Base


# --------------------------------------------------------------------------------------- project
class ProjectRow(Base):
    """The one row of the project itself."""

    __tablename__ = "project"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    encoder_id: Mapped[str | None] = mapped_column(ForeignKey("encoder.id"))
    """The encoder in use."""


# ---------------------------------------------------------------------------------------- images
class ImageRow(Base):
    """One picture, by content hash."""

    __tablename__ = "image"
    __table_args__ = (
        CheckConstraint("length(hash) = 64", name="hash_is_sha256"),
        CheckConstraint("bytes >= 0 AND width >= 0 AND height >= 0", name="sizes"),
        Index(None, "role"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(unique=True)
    role: Mapped[Role]
    bytes: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int]
    height: Mapped[int]


class ImageRootRow(Base):
    """A folder that pictures were imported from, absolute or relative to the project.

    A file below several roots belongs to the one with the lowest id, so that importing a folder
    and later a folder inside it meets the same files and not new ones.
    """

    __tablename__ = "image_root"

    id: Mapped[int] = mapped_column(primary_key=True)
    root: Mapped[str] = mapped_column(unique=True)


class ImagePathRow(Base):
    """A path at which a picture was found. Of several rows of one path, the newest has its content."""

    __tablename__ = "image_path"
    __table_args__ = (
        UniqueConstraint("root_id", "path", "image_id"),
        Index(None, "image_id"),
        Index(None, "name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    root_id: Mapped[int] = mapped_column(ForeignKey("image_root.id"))
    path: Mapped[str]
    name: Mapped[str]
    """The last part of the path in canonical composition; a search by the end of a path uses it."""
    modified_ns: Mapped[int | None] = mapped_column(BigInteger)  # since 1970, with this content


class QuarantinedFileRow(Base):
    """A file that could not be read."""

    __tablename__ = "quarantined_file"
    __table_args__ = (UniqueConstraint("root_id", "path"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    root_id: Mapped[int] = mapped_column(ForeignKey("image_root.id"))
    path: Mapped[str]
    code: Mapped[QuarantineCode]
    detail: Mapped[str]


# -------------------------------------------------------------------------------- what was computed
class EncoderRow(Base):
    """An encoder; the project names the one in use."""

    __tablename__ = "encoder"

    id: Mapped[str] = mapped_column(primary_key=True)
    spec: Mapped[str]


class PosteriorRow(Base):
    """A posterior file of an encoder."""

    __tablename__ = "posterior"

    id: Mapped[int] = mapped_column(primary_key=True)
    encoder_id: Mapped[str] = mapped_column(ForeignKey("encoder.id"))
    file: Mapped[str]
    created_at: Mapped[datetime]
    provenance: Mapped[dict[str, Any]] = mapped_column(JSON)


class LearnerRow(Base):
    """A learner file."""

    __tablename__ = "learner"

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    posterior_id: Mapped[int] = mapped_column(ForeignKey("posterior.id"))
    class_list_id: Mapped[int] = mapped_column(ForeignKey("class_list.id"))
    file: Mapped[str]
    labels: Mapped[int]
    created_at: Mapped[datetime]
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    ahead: Mapped[bool] = mapped_column(server_default=false())
    """Whether it ranked a round that was prepared before the end of the one before."""


class MetricRow(Base):
    """A measurement of a learner on the audit set; a null learner is the zero-shot model."""

    __tablename__ = "metric"

    id: Mapped[int] = mapped_column(primary_key=True)
    round_number: Mapped[int]
    learner_id: Mapped[int | None] = mapped_column(ForeignKey("learner.id"))
    labels: Mapped[int]
    audit_images: Mapped[int]
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    measured_at: Mapped[datetime]


# UNIQUE takes two nulls as different, so the index has 0 for the null learner.
Index(
    "uq_metric_round_learner",
    MetricRow.round_number,
    func.coalesce(MetricRow.learner_id, text("0")),
    unique=True,
)


# -------------------------------------------------------------------------------- rounds and labels
class RoundRow(Base):
    """A batch of images that is asked; a unique index allows at most one open round."""

    __tablename__ = "round"
    __table_args__ = (
        CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed_at"),
        Index(
            "uq_round_open",
            "state",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    strategy: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    batch_size: Mapped[int]
    class_list_id: Mapped[int] = mapped_column(ForeignKey("class_list.id"))
    posterior_id: Mapped[int | None] = mapped_column(ForeignKey("posterior.id"))
    # A learner refers to its round and a round to its learner. Where a database needs it, one of the
    # two foreign keys is made later; SQLite does not.
    learner_id: Mapped[int | None] = mapped_column(ForeignKey("learner.id", use_alter=True))
    state: Mapped[RoundState]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    seconds: Mapped[float]
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)


class ItemRow(Base):
    """An image asked in a round."""

    __tablename__ = "item"
    __table_args__ = (
        UniqueConstraint("round_id", "position"),
        UniqueConstraint("round_id", "image_id"),
        UniqueConstraint("id", "image_id"),  # target of the foreign key of labels
        CheckConstraint(
            "(suggested_class_id IS NULL) = (suggested_probability IS NULL)", name="suggestion"
        ),
        CheckConstraint("wanted >= 1", name="wanted"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    position: Mapped[int]
    score: Mapped[float | None]
    suggested_class_id: Mapped[int | None] = mapped_column(ForeignKey("label_class.id"))
    suggested_probability: Mapped[float | None]
    probability: Mapped[float | None]
    """Probability of this draw among the images that were left at its turn; null if not drawn."""
    wanted: Mapped[int] = mapped_column(server_default=text("1"))
    """From how many people an answer is wanted."""
    blind: Mapped[bool] = mapped_column(server_default=false())


class LabelRow(Base):
    """An answer. Rows are only ever added: see `triggers`."""

    __tablename__ = "label"
    __table_args__ = (
        CheckConstraint("(kind = 'class') = (class_id IS NOT NULL)", name="class_given"),
        CheckConstraint("duration_ms >= 0", name="duration"),
        # Both columns together: an answer cannot be stored for another image than that of its item.
        ForeignKeyConstraint(["item_id", "image_id"], ["item.id", "item.image_id"]),
        Index(None, "image_id"),
        Index(None, "item_id", "annotator"),
        Index(None, "annotator"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(unique=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    kind: Mapped[AnswerKind]
    class_id: Mapped[int | None] = mapped_column(ForeignKey("label_class.id"))
    annotator: Mapped[str]
    item_id: Mapped[int | None]
    recorded_at: Mapped[datetime]
    duration_ms: Mapped[int | None] = mapped_column(BigInteger)
    suggested_class_id: Mapped[int | None] = mapped_column(ForeignKey("label_class.id"))
    source: Mapped[str]
    late: Mapped[Late | None]


class LabelRetractionRow(Base):
    """A take-back: the label stays but no longer counts. Rows are only ever added."""

    __tablename__ = "label_retraction"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(unique=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"), unique=True)
    annotator: Mapped[str]
    recorded_at: Mapped[datetime]
