"""Where and how labels were asked for that come with their history from another project."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, with its triggers; labels recorded so far are the project's own."""
    op.create_table(
        "label_origin",
        sa.Column("label_id", sa.Integer(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("strategy", sa.Text(), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("draw_probability", sa.Double(), nullable=True),
        sa.Column("suggestion", sa.Text(), nullable=True),
        sa.Column("suggestion_probability", sa.Double(), nullable=True),
        sa.Column("calibration", sa.Text(), nullable=True),
        sa.Column("class_list", sa.BigInteger(), nullable=True),
        sa.Column("posterior", sa.BigInteger(), nullable=True),
        sa.Column("learner", sa.BigInteger(), nullable=True),
        sa.Column("project", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name="fk_label_origin_label_id"),
        sa.PrimaryKeyConstraint("label_id", name="pk_label_origin"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER label_origin_no_{verb} BEFORE {verb.upper()} ON label_origin "
                f"BEGIN SELECT RAISE(ABORT, 'label_origin: rows are only ever added'); END"
            )
