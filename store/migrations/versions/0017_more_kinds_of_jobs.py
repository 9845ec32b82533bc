"""Five more kinds of jobs: importing, encoding, simulating, replaying, and looking for label errors."""

from alembic import op

from store.migrations.job_table import job_table, one_of

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The CHECK of the kind names the new words; no row changes."""
    former = ("learn", "rank", "prepare", "score", "group")
    added = ("import", "encode", "simulate", "replay", "errors")
    with op.batch_alter_table("job", copy_from=job_table(one_of(former))) as table:
        table.drop_constraint(op.f("ck_job_jobkind"), type_="check")
        table.create_check_constraint(op.f("ck_job_jobkind"), one_of((*former, *added)))
