"""Second opinions, and what the model said of a label: more columns, reasons and states of a review."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Older cases have none of it: what the model said of them then is not known any more."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.drop_index("ix_review_image_id", "review")
    op.drop_index("uq_review_open", "review")
    # SQLite makes the table anew, and its triggers go with the former one.
    with op.batch_alter_table("review", copy_from=_former()) as table:
        for name in ("reviewreason", "reviewstate"):
            table.drop_constraint(op.f(f"ck_review_{name}"), type_="check")
        table.add_column(sa.Column("predicted_class_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("predicted_probability", sa.Double(), nullable=True))
        table.add_column(sa.Column("asked_by", sa.Text(), nullable=True))
        table.add_column(sa.Column("opinion_class_id", sa.Integer(), nullable=True))
        for name in ("predicted_class_id", "opinion_class_id"):
            table.create_foreign_key(op.f(f"fk_review_{name}"), "label_class", [name], ["id"])
        for name, condition in {
            "reviewreason": "reason IN ('disagreement', 'label_error', 'second_opinion')",
            "reviewstate": "state IN ('open', 'resolved', 'dismissed', 'passed_on')",
            "asked_by": "(reason = 'second_opinion') = (asked_by IS NOT NULL)",
            "opinion": "opinion_class_id IS NULL OR state = 'passed_on'",
        }.items():
            table.create_check_constraint(op.f(f"ck_review_{name}"), condition)
    op.create_index("ix_review_image_id", "review", ["image_id"])
    op.create_index(
        "uq_review_open",
        "review",
        ["image_id", "reason"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    if sqlite:
        op.execute(
            "CREATE TRIGGER review_no_delete BEFORE DELETE ON review "
            "BEGIN SELECT RAISE(ABORT, 'review: no case is ever removed'); END"
        )
        op.execute(
            "CREATE TRIGGER review_no_update BEFORE UPDATE ON review WHEN OLD.state <> 'open' "
            "BEGIN SELECT RAISE(ABORT, 'review: a closed case never changes'); END"
        )


def _former() -> sa.Table:
    return sa.Table(
        "review",
        sa.MetaData(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("newest_label_id", sa.Integer(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("label_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="ck_review_closed_at"),
        sa.CheckConstraint("(state = 'open') = (closed_by IS NULL)", name="ck_review_closed_by"),
        sa.CheckConstraint(
            "(state = 'resolved') = (label_id IS NOT NULL)", name="ck_review_label_id"
        ),
        sa.CheckConstraint(
            "reason IN ('disagreement', 'label_error')", name="ck_review_reviewreason"
        ),
        sa.CheckConstraint(
            "state IN ('open', 'resolved', 'dismissed')", name="ck_review_reviewstate"
        ),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_review_image_id"),
        sa.ForeignKeyConstraint(
            ["newest_label_id"], ["label.id"], name="fk_review_newest_label_id"
        ),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name="fk_review_label_id"),
        sa.PrimaryKeyConstraint("id", name="pk_review"),
    )
