"""What simulations measured: one row for each learner of each run."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "simulation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_simulation"),
        sa.UniqueConstraint("key", name="uq_simulation_key"),
    )
    op.create_table(
        "simulation_point",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("simulation_id", sa.Integer(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("adaptation", sa.Text(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("paid", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("accuracy", sa.Double(), nullable=False),
        sa.Column("balanced_accuracy", sa.Double(), nullable=False),
        sa.Column("macro_f1", sa.Double(), nullable=False),
        sa.Column("nlpd", sa.Double(), nullable=False),
        sa.Column("brier", sa.Double(), nullable=False),
        sa.Column("ece", sa.Double(), nullable=False),
        sa.Column("ece_floor", sa.Double(), nullable=False),
        sa.Column("recall", sa.JSON(), nullable=False),
        sa.Column("classes_asked", sa.JSON(), nullable=False),
        sa.Column("images", sa.JSON(), nullable=False),
        sa.Column("seconds_asking", sa.Double(), nullable=False),
        sa.Column("seconds_learning", sa.Double(), nullable=False),
        sa.Column("seconds_measuring", sa.Double(), nullable=False),
        sa.Column("seconds_answering", sa.Double(), nullable=False),
        sa.Column("peak_bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "labels <= asked AND asked <= paid", name=op.f("ck_simulation_point_counts")
        ),
        sa.ForeignKeyConstraint(
            ["simulation_id"], ["simulation.id"], name="fk_simulation_point_simulation_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_simulation_point"),
        sa.UniqueConstraint(
            "simulation_id",
            "strategy",
            "adaptation",
            "batch_size",
            "seed",
            "round",
            name="uq_simulation_point_one",
        ),
    )
