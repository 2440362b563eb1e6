"""The filters of GitHub's run lists: status, branch, created, event, actor, head_sha."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from simulator.github_world import Run

SEARCHED = 1000  # a filtered list ends here
_FILTERS = ("actor", "branch", "event", "status", "created", "head_sha", "check_suite_id")
_DATE_ONLY = 10


class Search:
    """The filters of one request."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._asked = {name: query[name] for name in _FILTERS if query.get(name)}

    @property
    def filtered(self) -> bool:
        """Whether the index answers, not the table."""
        return bool(self._asked)

    def reaches(self, page: int, size: int) -> bool:
        """Whether this page begins within the results that the index shows."""
        return not self.filtered or (page - 1) * size < SEARCHED

    def matches(self, run: Run, status: str, now: datetime) -> bool:
        """Whether a run with this status belongs to the list."""
        asked = self._asked
        if not asked:
            return True
        conclusion = run.attempt(now).conclusion if status == "completed" else None
        return (
            asked.get("actor", run.attempts[0].actor) == run.attempts[0].actor
            and asked.get("branch", run.branch) == run.branch
            and asked.get("event", run.event) == run.event
            and asked.get("head_sha", run.sha) == run.sha
            and asked.get("status", status) in (status, conclusion if conclusion != "startup_failure" else None)
            and ("created" not in asked or _inside(asked["created"], run.created_at))
        )


def _inside(expression: str, moment: datetime) -> bool:
    """`A..B`, `>=A`, `>A`, `<=B`, `<B` or one day; `*` is open. Whole seconds, ends included."""
    moment = moment.replace(microsecond=0)
    for sign, holds in ((">=", moment.__ge__), ("<=", moment.__le__), (">", moment.__gt__), ("<", moment.__lt__)):
        if expression.startswith(sign):
            return bool(holds(_moment(expression.removeprefix(sign), late=sign in ("<=", ">"))))
    first, dots, last = expression.partition("..")
    if not dots:
        last = first
    return (first == "*" or _moment(first, late=False) <= moment) and (
        last == "*" or moment <= _moment(last, late=True)
    )


def _moment(text: str, *, late: bool) -> datetime:
    """A time, or a day's begin or (late) end."""
    found = datetime.fromisoformat(text.replace(" ", "+"))
    if len(text) == _DATE_ONLY and late:
        found += timedelta(days=1, seconds=-1)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
