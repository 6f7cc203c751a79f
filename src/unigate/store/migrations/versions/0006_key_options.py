"""Options of keys."""

import sqlalchemy as sa
from alembic import op

revision = "0006_key_options"
down_revision = "0005_tasks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("keys") as keys:
        keys.add_column(sa.Column("options", sa.Text(), nullable=False, server_default="{}"))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("keys") as keys:
        keys.drop_column("options")
