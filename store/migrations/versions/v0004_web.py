"""What the web needs: the change feed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add tables; what they hold is explained in store/schema.py."""
    op.create_table(
        "changes",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("pipelines", sa.Text),
        sa.Column("ids", sa.Text),
        sa.Column("ends_from", sa.BigInteger),
        sa.Column("ends_to", sa.BigInteger),
    )
