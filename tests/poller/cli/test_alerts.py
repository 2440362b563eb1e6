from collections.abc import Callable
from datetime import datetime

import pytest

from domain.alert import AlertKind, AlertState, Delivery, Scope
from store import alerts as stored_alerts
from store.engine import Database
from tests.support.builders import alert
from tests.support.commands import Commands

KEYS = [
    "id",
    "kind",
    "pipeline",
    "branch",
    "severity",
    "state",
    "started_at",
    "resolved_at",
    "summary",
    "evidence",
    "notifications",
]
NOTIFICATION_KEYS = ["channel", "reason", "state", "attempts", "sent_at", "last_error"]


def test_json_has_every_key_of_the_contract(buildwatch: Commands, told: Callable[..., object], now: datetime) -> None:
    told(evidence={"in_a_row": 2})
    (found,) = buildwatch("alerts", "--json").json
    assert set(KEYS) <= set(found)
    assert (found["kind"], found["pipeline"], found["branch"]) == ("failure", "web/deploy", "main")
    assert (found["severity"], found["state"], found["resolved_at"]) == ("critical", "firing", None)
    assert found["evidence"] == {"in_a_row": 2}
    (notification,) = found["notifications"]
    assert set(NOTIFICATION_KEYS) <= set(notification)
    assert (notification["channel"], notification["reason"], notification["state"]) == ("team", "first", "sent")
    assert (notification["attempts"], notification["last_error"]) == (1, None)
    assert datetime.fromisoformat(notification["sent_at"]) == now


def test_what_is_over_is_shown_with_all(buildwatch: Commands, told: Callable[..., object]) -> None:
    told(state=AlertState.RESOLVED)
    assert buildwatch("alerts", "--json").json == []
    assert buildwatch("alerts").out == "nothing is firing\n"
    assert [each["state"] for each in buildwatch("alerts", "--all", "--json").json] == ["resolved"]


def test_the_table_tells_who_was_not_reached(buildwatch: Commands, told: Callable[..., object]) -> None:
    told(Delivery.DEAD)
    out = buildwatch("alerts").out
    assert "web/deploy / main" in out
    assert "team: first dead (channel_not_found)" in out


def test_what_was_told_in_the_summary_at_first_contact_says_so(buildwatch: Commands, store: Database) -> None:
    store.transact(lambda session: stored_alerts.save(session, alert()))
    summary = alert(
        kind=AlertKind.BASELINE, scope=Scope(provider="*", branch="team"), state=AlertState.RESOLVED, summary="1 broken"
    )
    store.transact(lambda session: stored_alerts.save(session, summary))
    first, second = buildwatch("alerts", "--all", "--json").json
    assert (first["kind"], first["pipeline"], first["branch"]) == ("baseline", None, None)
    assert second["notifications"] == []
    lines = buildwatch("alerts", "--all").out.splitlines()
    assert "  -  " in lines[1]
    assert lines[2].endswith("in the summary at first contact: team")


@pytest.mark.parametrize(
    ("kind", "scope", "shown"),
    [
        (AlertKind.DELIVERY_FAILED, Scope(provider="buildwatch", branch="wall"), "wall"),
        (AlertKind.WINDOW_REGRESSION, Scope(provider="*", branch="cloud=aws"), "cloud=aws"),
        (AlertKind.PROVIDER_UNREACHABLE, Scope(provider="ci"), "ci"),
    ],
)
def test_what_is_about_no_pipeline_says_what_it_is_about(
    buildwatch: Commands, told: Callable[..., object], kind: AlertKind, scope: Scope, shown: str
) -> None:
    told(kind=kind, scope=scope)
    assert buildwatch("alerts").out.splitlines()[1].split()[4] == shown


def test_a_store_that_does_not_exist_has_no_alerts(buildwatch: Commands) -> None:
    ran = buildwatch("alerts", "--all")
    assert (ran.status, ran.out) == (0, "no alerts\n")
    assert "there is no store yet" in ran.err
