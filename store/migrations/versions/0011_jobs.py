"""Jobs, the prepared next round, and learners that were learned ahead of the end of a round."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _words(name: str, *words: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=16)


def upgrade() -> None:
    """Older projects have no jobs, and none of their learners was learned ahead."""
    op.create_table(
        "job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", _words("jobkind", "learn", "rank", "prepare"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column(
            "state",
            _words("jobstate", "queued", "running", "done", "failed", "cancelled"),
            nullable=False,
        ),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("job_order", sa.JSON(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("process_token", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("cancel_asked", sa.Boolean(), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("heartbeat_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(state IN ('queued', 'running')) = (finished_at IS NULL)",
            name=op.f("ck_job_finished_at"),
        ),
        sa.CheckConstraint("done >= 0 AND total >= 0", name=op.f("ck_job_progress")),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
    )
    live = sa.text("state IN ('queued', 'running')")
    op.create_index(
        "uq_job_live_kind", "job", ["kind"], unique=True, sqlite_where=live, postgresql_where=live
    )
    op.create_table(
        "prepared_round",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("after_round_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("learner", sa.JSON(), nullable=False),
        sa.Column("batch", sa.JSON(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_prepared_round_one_row")),
        sa.ForeignKeyConstraint(
            ["after_round_id"], ["round.id"], name="fk_prepared_round_after_round_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_prepared_round"),
    )
    op.add_column(
        "learner", sa.Column("ahead", sa.Boolean(), nullable=False, server_default=sa.false())
    )
