"""Which classes of a version are in use, where the labels of merged ones count, and example images."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """In older versions every class is in use and has no examples."""
    op.add_column("class_list_entry", sa.Column("examples", sa.JSON(), nullable=True))
    op.add_column(
        "class_list_entry",
        sa.Column("retired", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("class_list_entry", sa.Column("into_id", sa.Integer(), nullable=True))
