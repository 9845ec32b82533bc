"""A name, key, colour, description and place of each class in each version of the class list."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Older versions keep the names of `label_class`, and show classes in their order."""
    for name in ("name", "key", "colour", "description"):
        op.add_column("class_list_entry", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("class_list_entry", sa.Column("place", sa.Integer(), nullable=True))
