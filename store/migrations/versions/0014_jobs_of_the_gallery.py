"""Two more kinds of jobs: predicting all images, and comparing them with each other."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def _words(name: str, *words: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=16)


def upgrade() -> None:
    """The CHECK of the kind names the new words; no row changes."""
    kind = "kind IN ('learn', 'rank', 'prepare', 'score', 'group')"
    # SQLite makes the table anew. What it was is written out, since versions of SQLAlchemy read different
    # parts of it from the database.
    with op.batch_alter_table("job", copy_from=_former_jobs()) as table:
        table.drop_constraint(op.f("ck_job_jobkind"), type_="check")
        table.create_check_constraint(op.f("ck_job_jobkind"), kind)


def _former_jobs() -> sa.Table:
    live = sa.text("state IN ('queued', 'running')")
    return sa.Table(
        "job",
        sa.MetaData(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
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
        sa.CheckConstraint("kind IN ('learn', 'rank', 'prepare')", name="ck_job_jobkind"),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="ck_job_jobstate"
        ),
        sa.CheckConstraint(
            "(state IN ('queued', 'running')) = (finished_at IS NULL)", name="ck_job_finished_at"
        ),
        sa.CheckConstraint("done >= 0 AND total >= 0", name="ck_job_progress"),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.Index("uq_job_live_kind", "kind", unique=True, sqlite_where=live, postgresql_where=live),
    )
