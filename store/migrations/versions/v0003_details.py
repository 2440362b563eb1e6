"""What is read about builds beside their results: stages, changes, logs, tests, figures."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add columns and tables; what they hold is explained in store/schema.py."""
    for name in ("bucket_class", "stages", "changes", "notes", "found_labels"):
        op.add_column("build_details", sa.Column(name, sa.Text))
    op.add_column("build_details", sa.Column("read_at", sa.BigInteger))
    known = sa.text("bucket IS NOT NULL")
    op.create_index(
        "build_details_bucket", "build_details", ["bucket", "build_id"], sqlite_where=known, postgresql_where=known
    )
    _measurements()
    _tests()
    op.create_table(
        "details_due",
        _build_id(),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
    )
    op.create_index("details_due_at", "details_due", ["due_at"])


def _measurements() -> None:
    op.create_table(
        "measurement_names",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("pipeline_id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.UniqueConstraint("pipeline_id", "name", name="measurement_names_name"),
    )
    op.create_table(
        "measurements",
        _build_id(),
        sa.Column("name_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )


def _tests() -> None:
    op.create_table(
        "test_names",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("pipeline_id", sa.Integer, nullable=False),
        sa.Column("suite", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.UniqueConstraint("pipeline_id", "digest", name="test_names_key"),
    )
    op.create_table(
        "test_runs",
        _build_id(),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("results", sa.LargeBinary, nullable=False),
        sa.Column("durations", sa.LargeBinary),
        sa.Column("errors", sa.Text),
    )


def _build_id() -> sa.Column[int]:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    build = sa.ForeignKey("builds.id", ondelete="CASCADE")
    return sa.Column("build_id", number, build, primary_key=True, autoincrement=False)
