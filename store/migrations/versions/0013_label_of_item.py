"""One index finds the answer of a person to an item, however many answers either has."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """It takes the place of the index on the item alone."""
    op.create_index("ix_label_item_id_annotator", "label", ["item_id", "annotator"])
    op.drop_index("ix_label_item_id", "label")
