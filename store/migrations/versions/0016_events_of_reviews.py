"""The event that closed a case of a review: a screen that sends it twice closes the case once."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Older cases were closed without an event."""
    op.add_column("review", sa.Column("event_id", sa.Text(), nullable=True))
    op.create_index("uq_review_event_id", "review", ["event_id"], unique=True)
