"""What `doctor` says about silence."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.alert import AlertKind, Scope
from domain.silence import Ends, Silence
from poller.proof.selfcheck import SELFCHECK
from store import alerts, notes, pipelines, silences
from store.engine import Database
from tests.support.builders import alert, pipeline
from tests.support.commands import Commands

RESULT: dict[str, Any] = {"failed": 9, "told": 6, "reasons": {"below_threshold": 2, "silenced": 1}, "unexplained": []}


@pytest.fixture
def found(buildwatch: Commands, house_config: Path) -> Any:
    """(state, text) of one thing that `doctor` looked at; None when it did not. Its exit status stands under ''."""
    assert house_config.exists()

    def look() -> dict[str, tuple[str, str]]:
        ran = buildwatch("doctor", "--json")
        listed = {each["check"]: (each["state"], each["text"]) for each in ran.json["findings"]}
        return listed | {"": (str(ran.status), "")}

    return look


def noted(store: Database, now: datetime, at: datetime, **changes: Any) -> None:
    value = {**RESULT, "at": at.isoformat(), **changes}
    store.transact(lambda session: notes.put(session, SELFCHECK, value, now))


def test_before_the_first_night_the_check_is_announced(store: Database, found: Any) -> None:
    assert store.path is not None
    state, text = found()["self-check"]
    assert (state, text.startswith("not yet: at 04:30 ")) == ("note", True)


def test_a_good_check_is_counted(store: Database, now: datetime, found: Any) -> None:
    noted(store, now, now - timedelta(hours=3))
    told = found()
    assert told["self-check"] == ("ok", "9 failures looked at 3h ago: 6 told, 2 below threshold, 1 silenced")
    assert told[""][0] == "0"


def test_what_is_unexplained_is_wrong(store: Database, now: datetime, found: Any) -> None:
    noted(store, now, now - timedelta(hours=3), unexplained=[7, 8])
    told = found()
    assert told["self-check"] == (
        "wrong",
        "2 failed builds without a message and without a reason (3h ago): 7, 8 (`buildwatch explain ID`)",
    )
    assert told[""][0] == "1"


def test_a_check_that_is_overdue_is_a_warning(store: Database, now: datetime, found: Any) -> None:
    noted(store, now, now - timedelta(days=3))
    assert found()["self-check"] == ("warning", "last 3d ago: is the daemon running?")


def test_expectations_and_silences_are_summed_up(
    store: Database, now: datetime, found: Any, house_config: Path
) -> None:
    house_config.write_text(house_config.read_text() + "\ndefaults: {expect: {every: 24h}}\n")
    late = pipeline("team/api", provider="jenkins")
    store.transact(lambda session: pipelines.remember(session, [late], now))
    told = found()
    assert told["expectations"] == ("ok", "1 pipeline with `expect:`, none is late")
    assert "silences" not in told
    stale = alert(kind=AlertKind.STALE, scope=Scope(provider="jenkins", pipeline="team/api"))
    quiet = Silence(match={"pipeline": "x"}, ends=Ends(fixed=True), reason="the move", created_at=now)
    store.transact(lambda session: (alerts.save(session, stale), silences.add(session, quiet)))
    told = found()
    assert told["expectations"] == ("warning", "1 of 1 pipeline late: team/api")
    assert told["silences"] == ("note", '1 hold: #1 "the move" until it is fixed')
