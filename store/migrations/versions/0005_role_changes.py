"""Changes of the roles of images: those that audit draws made so far are added from their rounds."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, with its triggers, and fill it."""
    former, role = (
        sa.Enum("pool", "audit", name=name, native_enum=False, create_constraint=True, length=16)
        for name in ("former", "role")
    )
    op.create_table(
        "role_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("former", former, nullable=False),
        sa.Column("role", role, nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_role_change_image_id"),
        sa.PrimaryKeyConstraint("id", name="pk_role_change"),
    )
    op.execute(
        "INSERT INTO role_change (image_id, former, role, recorded_at) "
        "SELECT item.image_id, 'pool', 'audit', round.opened_at "
        "FROM item JOIN round ON round.id = item.round_id "
        "WHERE round.strategy = 'audit' AND item.probability IS NOT NULL "
        "ORDER BY item.round_id, item.position"
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER role_change_no_{verb} BEFORE {verb.upper()} ON role_change "
                f"BEGIN SELECT RAISE(ABORT, 'role_change: rows are only ever added'); END"
            )
