"""When each file was last modified, so that a changed file is found without reading it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("image_path", sa.Column("modified_ns", sa.BigInteger(), nullable=True))
