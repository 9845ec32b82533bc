"""One more kind of job: tuning prompts."""

from alembic import op

from store.migrations.job_table import job_table, one_of

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The CHECK of the kind names the new word; no row changes."""
    former = (
        *("learn", "rank", "prepare", "score", "group"),
        *("import", "encode", "simulate", "replay", "errors"),
    )
    with op.batch_alter_table("job", copy_from=job_table(one_of(former))) as table:
        table.drop_constraint(op.f("ck_job_jobkind"), type_="check")
        table.create_check_constraint(op.f("ck_job_jobkind"), one_of((*former, "tune")))
