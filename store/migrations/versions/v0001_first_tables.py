"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make all tables; what they hold is explained in store/schema.py."""
    _pipelines()
    _builds()
    _alerts()
    _outbox()
    _progress()
    _notices()


def _pipelines() -> None:
    op.create_table(
        "pipelines",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("url", sa.Text),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("branched", sa.Boolean, nullable=False),
        sa.Column("default_branch", sa.Text),
        sa.Column("watched_since", sa.BigInteger, nullable=False),
        sa.Column("missing_since", sa.BigInteger),
        sa.UniqueConstraint("provider", "key", name="pipelines_key"),
    )
    op.create_table(
        "names",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.UniqueConstraint("text", name="names_text"),
    )


def _builds() -> None:
    op.create_table(
        "builds",
        sa.Column("id", _ID, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.BigInteger) for name in ("queued_at", "started_at", "finished_at", "duration")),
        sa.Column("pipeline_id", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        *(sa.Column(f"{name}_id", sa.Integer) for name in ("stream", "branch", "raw", "trigger", "actor")),
        *(sa.Column(f"{name}_id", sa.Integer) for name in ("url", "labels")),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("outcome", sa.SmallInteger),
        sa.Column("verdict", sa.SmallInteger),
        sa.Column("superseded", sa.SmallInteger, nullable=False),
        sa.Column("flags", sa.SmallInteger, nullable=False),
        sa.Column("external_id", sa.Text, nullable=False),
        sa.Column("commit", sa.LargeBinary),
        sa.Column("title", sa.Text),
        sa.UniqueConstraint("pipeline_id", "external_id", "attempt", name="builds_identity"),
    )
    finished = ["pipeline_id", "finished_at", "verdict", "duration", "stream_id", "superseded", "outcome"]
    _partial_index("builds_finished", "builds", finished, "verdict IS NOT NULL AND superseded = 0")
    settled = "verdict < 2 AND superseded = 0 AND stream_id IS NOT NULL"
    _partial_index("builds_settled", "builds", ["pipeline_id", "stream_id", "generation", "number"], settled)
    _partial_index("builds_unfinished", "builds", ["pipeline_id"], "status < 2")
    details = ("url", "labels", "failing_stage", "bucket", "reason", "log_excerpt", "tests", "measurements")
    op.create_table(
        "build_details",
        sa.Column(
            "build_id", _ID, sa.ForeignKey("builds.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
        *(sa.Column(name, sa.Text) for name in details),
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("pipeline", sa.Text),
        sa.Column("branch", sa.Text),
        sa.Column("severity", sa.SmallInteger, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("resolved_at", sa.BigInteger),
        sa.Column("transition", sa.Integer, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("channels", sa.Text, nullable=False),
        sa.Column("untold", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    _partial_index("alerts_firing", "alerts", ["fingerprint"], "state = 0", unique=True)
    op.create_index("alerts_scope", "alerts", ["provider", "pipeline", "branch"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("alert_id", sa.Integer, sa.ForeignKey("alerts.id"), nullable=False),
        sa.Column("transition", sa.Integer, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("reason", sa.SmallInteger, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("delivery", sa.SmallInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger, nullable=False),
        sa.Column("claimed_at", sa.BigInteger),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("last_error", sa.Text),
        sa.Column("ambiguous", sa.Boolean, nullable=False),
        sa.Column("progress", sa.Text, nullable=False),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.UniqueConstraint("alert_id", "transition", "channel", name="outbox_key"),
        sqlite_autoincrement=True,
    )
    _partial_index("outbox_unsent", "outbox", ["channel", "id"], "delivery < 2")
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("notification_id", sa.Integer, sa.ForeignKey("outbox.id", ondelete="CASCADE"), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("delivery", sa.SmallInteger, nullable=False),
        sa.Column("ambiguous", sa.Boolean, nullable=False),
        sa.Column("answer", sa.Text),
    )
    op.create_index("attempts_notification", "attempts", ["notification_id"])


def _progress() -> None:
    op.create_table(
        "cursors",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("provider", "target", "key")),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "providers",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("failing_since", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("trouble", sa.Text),
        sa.Column("text", sa.Text),
        sa.Column("last_ok_at", sa.BigInteger),
        sa.Column("retry_at", sa.BigInteger),
    )


def _notices() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("provider", "pipeline", "external_id")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("problem", "raw")),
        sa.Column("first_seen_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("provider", "pipeline", "external_id", name="quarantine_key"),
    )
    op.create_table(
        "notes",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
