"""Several people: leases and reviews in tables of their own, wanted answers, late answers."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leases on items of the open round move; the others were of no use any more."""
    _make_leases()
    _change_items()
    op.execute(
        "ALTER TABLE label ADD COLUMN late VARCHAR(16) "
        "CONSTRAINT ck_label_late CHECK (late IN ('answered', 'closed'))"
    )
    op.create_index("ix_label_annotator", "label", ["annotator"])
    _make_reviews()


def _make_leases() -> None:
    op.create_table(
        "lease",
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("tab", sa.Text(), nullable=True),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("since < until", name="length"),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name="fk_lease_item_id"),
        sa.PrimaryKeyConstraint("item_id", "annotator", name="pk_lease"),
        sa.UniqueConstraint("token", name="uq_lease_token"),
    )
    op.execute(
        "INSERT INTO lease (item_id, annotator, tab, token, since, until) "
        "SELECT item.id, lease_annotator, lease_tab, lease_token, lease_since, lease_until "
        "FROM item JOIN round ON round.id = item.round_id "
        "WHERE round.state = 'open' AND lease_token IS NOT NULL AND lease_since < lease_until"
    )


def _change_items() -> None:
    # SQLite makes the table anew. What it was is written out, since versions of SQLAlchemy read different
    # parts of it from the database.
    with op.batch_alter_table("item", copy_from=_former_items()) as table:
        table.drop_constraint(op.f("ck_item_lease"), type_="check")
        table.drop_constraint(op.f("uq_item_lease_token"), type_="unique")
        for name in ("lease_annotator", "lease_token", "lease_since", "lease_until", "lease_tab"):
            table.drop_column(name)
        one, no = sa.text("1"), sa.false()
        table.add_column(sa.Column("wanted", sa.Integer(), nullable=False, server_default=one))
        table.add_column(sa.Column("blind", sa.Boolean(), nullable=False, server_default=no))
        table.create_check_constraint("wanted", "wanted >= 1")


def _former_items() -> sa.Table:
    return sa.Table(
        "item",
        sa.MetaData(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("suggested_class_id", sa.Integer(), nullable=True),
        sa.Column("suggested_probability", sa.Double(), nullable=True),
        sa.Column("lease_annotator", sa.Text(), nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_since", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("lease_tab", sa.Text(), nullable=True),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "(suggested_class_id IS NULL) = (suggested_probability IS NULL)",
            name="ck_item_suggestion",
        ),
        sa.CheckConstraint(
            "(lease_annotator IS NULL) = (lease_token IS NULL)"
            " AND (lease_annotator IS NULL) = (lease_since IS NULL)"
            " AND (lease_annotator IS NULL) = (lease_until IS NULL)",
            name="ck_item_lease",
        ),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_item_image_id"),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name="fk_item_round_id"),
        sa.ForeignKeyConstraint(
            ["suggested_class_id"], ["label_class.id"], name="fk_item_suggested_class_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_item"),
        sa.UniqueConstraint("id", "image_id", name="uq_item_id_image_id"),
        sa.UniqueConstraint("lease_token", name="uq_item_lease_token"),
        sa.UniqueConstraint("round_id", "image_id", name="uq_item_round_id_image_id"),
        sa.UniqueConstraint("round_id", "position", name="uq_item_round_id_position"),
    )


def _make_reviews() -> None:
    reason, state = (
        sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=16)
        for name, words in {
            "reviewreason": ("disagreement", "label_error"),
            "reviewstate": ("open", "resolved", "dismissed"),
        }.items()
    )
    op.create_table(
        "review",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("reason", reason, nullable=False),
        sa.Column("newest_label_id", sa.Integer(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("state", state, nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("label_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed_at"),
        sa.CheckConstraint("(state = 'open') = (closed_by IS NULL)", name="closed_by"),
        sa.CheckConstraint("(state = 'resolved') = (label_id IS NOT NULL)", name="label_id"),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_review_image_id"),
        sa.ForeignKeyConstraint(
            ["newest_label_id"], ["label.id"], name="fk_review_newest_label_id"
        ),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name="fk_review_label_id"),
        sa.PrimaryKeyConstraint("id", name="pk_review"),
    )
    op.create_index("ix_review_image_id", "review", ["image_id"])
    op.create_index(
        "uq_review_open",
        "review",
        ["image_id", "reason"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER review_no_delete BEFORE DELETE ON review "
            "BEGIN SELECT RAISE(ABORT, 'review: no case is ever removed'); END"
        )
        op.execute(
            "CREATE TRIGGER review_no_update BEFORE UPDATE ON review WHEN OLD.state <> 'open' "
            "BEGIN SELECT RAISE(ABORT, 'review: a closed case never changes'); END"
        )
