"""What the clients of `/ws` are pushed: what GET /api/metrics/summary answers, as a message."""

from datetime import datetime, timedelta
from typing import Any

import orjson

from domain.build import Verdict
from metrics.windows import rolling
from store import pipelines, window_counts
from store.engine import Session
from store.window_counts import Counts, Ended
from web.shapes import iso

WINDOW = timedelta(days=1)
_WORDS = {Verdict.PASSED: "success", Verdict.FAILED: "failure"}


def live_summary(session: Session, now: datetime) -> str:
    """JSON: `{"type": "metrics_update", "payload": summary of the last 24 hours}`."""
    counts = window_counts.by_pipeline(session, rolling(now, WINDOW))
    known = {each.id: each.pipeline.name for each in pipelines.by_ids(session, counts)}
    payload = {
        "window_minutes": int(WINDOW.total_seconds()) // 60,
        **_figures(window_counts.together(counts.values())),
        "per_pipeline": [
            {"pipeline": known[number], **_figures(each)} for number, each in counts.items() if number in known
        ],
    }
    return orjson.dumps({"type": "metrics_update", "payload": payload}).decode()


def _figures(counts: Counts) -> dict[str, Any]:
    rate, mean = counts.success_rate, counts.duration_mean
    return {
        "total": counts.total,
        "success": counts.passed,
        "failure": counts.failed,
        "success_rate": None if rate is None else round(rate, 4),
        "avg_duration_sec": None if mean is None else round(mean, 3),
        "last_status": None if counts.last is None else _word(counts.last),
        "last_finished_at": None if counts.last is None else iso(counts.last.finished_at),
    }


def _word(last: Ended) -> str:
    return _WORDS.get(last.verdict, last.outcome.value)
