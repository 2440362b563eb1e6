"""What people and policies do with alerts and messages: handling, holding, grouping, silences; awaited re-runs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add columns and a table; what they hold is explained in store/schema.py."""
    op.add_column("alerts", sa.Column("handling", sa.Text, nullable=False, server_default="{}"))
    op.add_column("outbox", sa.Column("about", sa.Text, nullable=False, server_default="{}"))
    op.add_column("outbox", sa.Column("hold_until", sa.BigInteger))
    op.add_column("outbox", sa.Column("held", sa.Text))
    op.add_column("outbox", sa.Column("batch", sa.Integer))
    op.add_column("outbox", sa.Column("form", sa.Text))
    op.add_column("outbox", sa.Column("card", sa.Integer))
    _partial_index("outbox_batch", "outbox", ["batch"], "batch IS NOT NULL")
    _partial_index("outbox_card", "outbox", ["card"], "card IS NOT NULL")
    _partial_index("outbox_sent", "outbox", ["channel", "sent_at"], "sent_at IS NOT NULL")
    _partial_index("attempts_dead", "attempts", ["id"], "delivery = 3")
    op.create_table(
        "silences",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("match", "ends", "reason")),
        sa.Column("author", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("ended_because", sa.Text),
        sqlite_autoincrement=True,
    )
    _partial_index("silences_open", "silences", ["id"], "ended_at IS NULL")
    _partial_index("builds_awaited", "builds", ["id"], "flags >= 8")


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
