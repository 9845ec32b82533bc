"""With which probability an item was drawn: what estimates from chosen labels are corrected by."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("item", sa.Column("probability", sa.Double(), nullable=True))
