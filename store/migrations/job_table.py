"""The table of jobs as the steps 0017 and 0019 find it.

SQLite makes the table anew where a CHECK changes. What it was is written out, since versions of SQLAlchemy
read different parts of it from the database.
"""

import sqlalchemy as sa


def one_of(words: tuple[str, ...]) -> str:
    """The CHECK of a kind that is one of these words."""
    return f"kind IN ({', '.join(repr(word) for word in words)})"


def job_table(kinds: str) -> sa.Table:
    """The table with this CHECK of the kind."""
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
        sa.CheckConstraint(kinds, name="ck_job_jobkind"),
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
