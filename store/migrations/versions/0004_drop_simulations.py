"""Drop the tables of simulations: nothing read them. Results are files in the project's folder."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop both tables."""
    op.drop_table("simulation_point")
    op.drop_table("simulation")
