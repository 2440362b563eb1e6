"""The tables. Lean on purpose: 100,000 builds a day for a year have to fit on a small disk.

Times are integer milliseconds since 1970; statuses, outcomes and verdicts are places in the lists below; words
that repeat (branches, actors, triggers, labels, URL patterns) are numbers of rows in `names`. In `builds` these
stay bare integers, because its rows are read and written by the hundred thousand; elsewhere column types convert.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)

from domain.alert import AlertKind, AlertState, Delivery, Reason, Severity
from domain.build import Outcome, Status, Verdict
from store.columns import Code, Id, Json, Moment

# Places are on disk: append only.
STATUSES = (Status.QUEUED, Status.RUNNING, Status.FINISHED)
OUTCOMES = (
    Outcome.SUCCESS,
    Outcome.FAILURE,
    Outcome.UNSTABLE,
    Outcome.ERROR,
    Outcome.TIMEOUT,
    Outcome.CANCELLED,
    Outcome.SKIPPED,
    Outcome.UNKNOWN,
)
VERDICTS = (Verdict.FAILED, Verdict.PASSED, Verdict.NEUTRAL)  # 0 and 1 take no room in SQLite
ALERT_KINDS = (
    AlertKind.FAILURE,
    AlertKind.SUCCESS_RATE_DROP,
    AlertKind.SUCCESS_RATE_BELOW,
    AlertKind.PROVIDER_UNREACHABLE,
    AlertKind.PIPELINE_MISSING,
    AlertKind.BASELINE,
    AlertKind.CONFIGURATION_BROKEN,
    AlertKind.WINDOW_REGRESSION,
    AlertKind.DURATION,
    AlertKind.STALE,
    AlertKind.STUCK,
    AlertKind.FLAPPING,
    AlertKind.NO_VERDICT,
    AlertKind.DELIVERY_FAILED,
    AlertKind.DIGEST,
    AlertKind.STARTED,
    AlertKind.TEST_REGRESSION,
)
SEVERITIES = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
ALERT_STATES = (AlertState.FIRING, AlertState.RESOLVED, AlertState.CLOSED)
REASONS = (
    Reason.FIRST,
    Reason.UPDATE,
    Reason.REMINDER,
    Reason.RESOLVED,
    Reason.CLOSED,
    Reason.REFRESH,
    Reason.THREADED,
)
DELIVERIES = (Delivery.PENDING, Delivery.SENDING, Delivery.SENT, Delivery.DEAD)

FINISHED = STATUSES.index(Status.FINISHED)
FAILED = VERDICTS.index(Verdict.FAILED)
PASSED = VERDICTS.index(Verdict.PASSED)
NEUTRAL = VERDICTS.index(Verdict.NEUTRAL)

# Bits of builds.flags
FORK = 1
PULL_REQUEST = 2
FLAKY = 4  # passed after an earlier attempt failed
AWAITED = 8  # failed, and a re-run may still turn it around: see store/awaited.py

metadata = MetaData()


def _build_id() -> Column[int]:
    """The key of a table that says more of a build: its rows go with the build's."""
    return Column("build_id", Id, ForeignKey("builds.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)


pipelines = Table(
    "pipelines",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("url", Text),
    Column("labels", Json, nullable=False),
    Column("branched", Boolean, nullable=False),
    Column("default_branch", Text),
    Column("watched_since", Moment, nullable=False),
    Column("missing_since", Moment),
    UniqueConstraint("provider", "key", name="pipelines_key"),
)

names = Table(
    "names",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    UniqueConstraint("text", name="names_text"),
)

# Wide columns first: PostgreSQL pads each to its own size.
builds = Table(
    "builds",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("queued_at", BigInteger),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("duration", BigInteger),  # milliseconds, never negative; present when finished with both ends known
    Column("pipeline_id", Integer, nullable=False),  # of `pipelines`, whose rows never go: a checked key is slow
    Column("generation", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("stream_id", Integer),  # names.id of Build.stream ("" for a plain job); null for forks and pull requests
    Column("branch_id", Integer),  # names.id of the branch, only when it is not the stream
    Column("raw_id", Integer),  # names.id of the provider's own word for the outcome
    Column("trigger_id", Integer),
    Column("actor_id", Integer),
    Column("url_id", Integer),  # names.id of a pattern: see store/url.py
    Column("labels_id", Integer),  # names.id of a JSON object
    Column("status", SmallInteger, nullable=False),  # place in STATUSES
    Column("outcome", SmallInteger),  # place in OUTCOMES
    Column("verdict", SmallInteger),  # place in VERDICTS; null while it is not finished
    Column("superseded", SmallInteger, nullable=False),  # 1: finished, and another attempt counts instead of this one
    Column("flags", SmallInteger, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("commit", LargeBinary),
    Column("title", Text),
    UniqueConstraint("pipeline_id", "external_id", "attempt", name="builds_identity"),
)

COUNTED = text("verdict IS NOT NULL AND superseded = 0")
SETTLED = text("verdict < 2 AND superseded = 0 AND stream_id IS NOT NULL")
UNFINISHED = text("status < 2")
WAITING = text("flags >= 8")  # AWAITED is the highest flag
WHERE = "where"  # of a partial index

# Windows: every finished build that counts, pull requests too (stream_id is null), answered from the index alone.
Index(
    "builds_finished",
    builds.c.pipeline_id,
    builds.c.finished_at,
    builds.c.verdict,
    builds.c.duration,
    builds.c.stream_id,
    builds.c.superseded,  # always 0; without it SQLite looks each row up to see that
    builds.c.outcome,
    info={WHERE: COUNTED},
)
# Alerts: the newest settled verdicts of a stream, in the provider's order.
Index(
    "builds_settled",
    builds.c.pipeline_id,
    builds.c.stream_id,
    builds.c.generation,
    builds.c.number,
    info={WHERE: SETTLED},
)
Index("builds_unfinished", builds.c.pipeline_id, info={WHERE: UNFINISHED})
Index("builds_awaited", builds.c.id, info={WHERE: WAITING})

# What only some builds have: looked at one build at a time.
build_details = Table(
    "build_details",
    metadata,
    _build_id(),
    Column("url", Text),  # when no pattern fits
    Column("labels", Text),  # JSON, when too long for `names`
    Column("failing_stage", Text),
    Column("bucket", Text),
    Column("reason", Text),
    Column("log_excerpt", Text),
    Column("tests", Text),  # JSON
    Column("measurements", Text),  # JSON
    Column("bucket_class", Text),  # code, test, infra, env
    Column("stages", Text),  # JSON
    Column("changes", Text),  # JSON
    Column("notes", Text),  # JSON: what could not be read, and why
    Column("found_labels", Text),  # JSON: what its details told, beside the labels that it came with
    Column("read_at", BigInteger),  # when its details were read last
)
# How often a cause was seen in the last days: the newest of them.
Index(
    "build_details_bucket", build_details.c.bucket, build_details.c.build_id, info={WHERE: text("bucket IS NOT NULL")}
)

# Figures read from files that builds left behind: see store/measurements.py. Names of their own, not of `names`:
# a file may hold new ones in each build.
measurement_names = Table(
    "measurement_names",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("pipeline_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("pipeline_id", "name", name="measurement_names_name"),
)
measurements = Table(
    "measurements",
    metadata,
    _build_id(),
    Column("name_id", Integer, primary_key=True, autoincrement=False),  # of measurement_names
    Column("value", Double, nullable=False),
    sqlite_with_rowid=False,
)

# Finished builds whose details are still to be read: the row goes when they have been, or will never be.
details_due = Table(
    "details_due",
    metadata,
    _build_id(),
    Column("due_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Index("details_due_at", "due_at"),
)

# What a test is called, a number for each within its pipeline. `digest` finds it: texts may be long.
test_names = Table(
    "test_names",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("digest", BigInteger, nullable=False),  # of suite and name
    Column("seen_at", BigInteger, nullable=False),  # the end of the newest build that had it, less a week at most
    Column("pipeline_id", Integer, nullable=False),
    Column("suite", Text, nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("pipeline_id", "digest", name="test_names_key"),
)

# The tests of a build in a stream: whole, in some hundred bytes. See store/test_codes.py. A row for each change of a
# test would be no smaller, and would have to be mended whenever a build comes late or goes.
test_runs = Table(
    "test_runs",
    metadata,
    _build_id(),
    Column("total", Integer, nullable=False),  # different tests
    Column("failed", Integer, nullable=False),
    Column("results", LargeBinary, nullable=False),
    Column("durations", LargeBinary),
    Column("errors", Text),  # JSON: what several tests failed of: domain.testhistory.ErrorGroup
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("kind", Code(ALERT_KINDS), nullable=False),
    Column("provider", Text, nullable=False),
    Column("pipeline", Text),
    Column("branch", Text),
    Column("severity", Code(SEVERITIES), nullable=False),
    Column("state", Code(ALERT_STATES), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("resolved_at", Moment),
    Column("transition", Integer, nullable=False),
    Column("summary", Text, nullable=False),
    Column("evidence", Json, nullable=False),
    Column("channels", Json, nullable=False),
    Column("untold", Boolean, nullable=False),  # found at first contact and not yet in a baseline message
    Column("handling", Json, nullable=False, server_default="{}"),
    sqlite_autoincrement=True,  # the ids of pruned rows never come back: they are in message threads
)
FIRING = text("state = 0")
Index("alerts_firing", alerts.c.fingerprint, unique=True, info={WHERE: FIRING})
Index("alerts_scope", alerts.c.provider, alerts.c.pipeline, alerts.c.branch)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("alert_id", Integer, ForeignKey("alerts.id"), nullable=False),
    Column("transition", Integer, nullable=False),
    Column("channel", Text, nullable=False),
    Column("reason", Code(REASONS), nullable=False),
    Column("message", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("delivery", Code(DELIVERIES), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Moment, nullable=False),
    Column("claimed_at", Moment),  # when the latest attempt began
    Column("sent_at", Moment),
    Column("last_error", Text),
    Column("ambiguous", Boolean, nullable=False),
    Column("progress", Json, nullable=False),
    Column("receipt", Json, nullable=False),
    Column("about", Json, nullable=False, server_default="{}"),
    Column("hold_until", Moment),
    Column("held", Text),
    Column("batch", Integer),  # outbox.id of the leading row, when several are sent as one message
    Column("form", Text),  # domain.waiting.Form: how they became one, and that a row has to go alone
    Column("card", Integer),  # of an alert's first row: outbox.id of the row that posted the message which shows it
    UniqueConstraint("alert_id", "transition", "channel", name="outbox_key"),
    sqlite_autoincrement=True,  # and in Message-IDs
)
UNSENT = text("delivery < 2")
Index("outbox_unsent", outbox.c.channel, outbox.c.id, info={WHERE: UNSENT})
Index("outbox_batch", outbox.c.batch, info={WHERE: text("batch IS NOT NULL")})
Index("outbox_card", outbox.c.card, info={WHERE: text("card IS NOT NULL")})
Index("outbox_sent", outbox.c.channel, outbox.c.sent_at, info={WHERE: text("sent_at IS NOT NULL")})

silences = Table(
    "silences",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("match", Json, nullable=False),  # conditions, as under `match:` of a route
    Column("ends", Json, nullable=False),  # {"at": ISO} and/or {"fixed": true}, {"build": n}, {"new_bucket": true}
    Column("reason", Text, nullable=False),
    Column("author", Text),
    Column("created_at", Moment, nullable=False),
    Column("ended_at", Moment),  # null while it holds
    Column("ended_because", Text),
    sqlite_autoincrement=True,
)
Index("silences_open", silences.c.id, info={WHERE: text("ended_at IS NULL")})

attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("notification_id", Integer, ForeignKey("outbox.id", ondelete="CASCADE"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("delivery", Code(DELIVERIES), nullable=False),  # what it led to
    Column("ambiguous", Boolean, nullable=False),
    Column("answer", Text),  # the error, or the receipt as JSON
    Index("attempts_notification", "notification_id"),
)
DEAD = text("attempts.delivery = 3")
Index("attempts_dead", attempts.c.id, info={WHERE: text("delivery = 3")})

cursors = Table(
    "cursors",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Json, nullable=False),
)

providers = Table(
    "providers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("failing_since", Moment),
    Column("failures", Integer, nullable=False),
    Column("trouble", Text),
    Column("text", Text),
    Column("last_ok_at", Moment),
    Column("retry_at", Moment),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("pipeline", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("raw", Text, nullable=False),
    Column("first_seen_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    UniqueConstraint("provider", "pipeline", "external_id", name="quarantine_key"),
)

notes = Table(
    "notes",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Json),
    Column("updated_at", Moment, nullable=False),
)

# What transactions changed, newest last, for those who show it: see store/changes.py.
changes = Table(
    "changes",
    metadata,
    Column("seq", Id, primary_key=True),
    Column("kind", SmallInteger, nullable=False),  # place in changes.Kind
    Column("pipelines", Text),  # JSON: their ids; null: too many to name, here and below
    Column("ids", Text),  # JSON: of builds or alerts
    Column("ends_from", BigInteger),  # milliseconds: the earliest end of the builds, before or after; null: none ended
    Column("ends_to", BigInteger),  # and the latest
)

# Alembic's own table, declared here so that a new store gets it without importing Alembic.
alembic_version = Table("alembic_version", metadata, Column("version_num", Text, primary_key=True))

HEAD = "0004"
"""The revision that these tables are."""


@event.listens_for(metadata, "before_create")
def _partial_indexes(_: MetaData, session: Connection, **__: Any) -> None:
    """Said here and not in the tables, where it would load both dialects: 2 MiB that the other database never needs."""
    for table in metadata.tables.values():
        for index in table.indexes:
            if WHERE in index.info:
                index.dialect_kwargs[f"{session.dialect.name}_where"] = index.info[WHERE]
