from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from domain.alert import Alert, AlertKind, AlertState, Scope
from store import alerts, outbox
from store.engine import Database
from tests.support.builders import alert, minutes, notification

MAIN = alert().scope
DEV = replace(MAIN, branch="dev")


def save(database: Database, one: Alert, *, untold: bool = False) -> Alert:
    return database.transact(lambda session: alerts.save(session, one, untold=untold))


def of_scope(database: Database, scope: Scope) -> list[Alert]:
    return database.read(lambda session: alerts.of_scope(session, scope))


def test_an_alert_comes_back_as_it_was_saved(database: Database) -> None:
    original = alert(evidence={"failed": [3, 4], "rate": 0.25}, transition=2, channels=("team", "mail"))
    saved = save(database, original)
    assert saved.id is not None
    assert saved == original
    assert database.read(lambda session: alerts.get(session, [saved.id or 0, 99])) == {saved.id: original}


def test_saving_with_an_id_updates(database: Database) -> None:
    saved = save(database, alert())
    save(database, replace(saved, state=AlertState.RESOLVED, resolved_at=minutes(9), transition=2))
    [found] = of_scope(database, MAIN)
    assert (found.id, found.state, found.resolved_at, found.transition) == (
        saved.id,
        AlertState.RESOLVED,
        minutes(9),
        2,
    )


def test_only_one_alert_of_a_fingerprint_fires(database: Database) -> None:
    saved = save(database, alert())
    with pytest.raises(IntegrityError):
        save(database, alert())
    save(database, replace(saved, state=AlertState.CLOSED))
    save(database, alert())
    save(database, alert(kind=AlertKind.SUCCESS_RATE_DROP))
    assert len(database.read(alerts.firing)) == 2


def test_a_scope_sees_its_own_alerts_only(database: Database) -> None:
    scopes = [MAIN, DEV, replace(MAIN, branch=None), replace(MAIN, branch=""), Scope(provider="ci")]
    for scope in scopes:
        save(database, alert(scope=scope))
    for scope in scopes:
        [found] = of_scope(database, scope)
        assert found.scope == scope


def test_a_scope_sees_all_firing_and_the_newest_ended_alerts_in_order(database: Database) -> None:
    firing = save(database, alert())
    ended = [save(database, alert(state=AlertState.RESOLVED)) for _ in range(25)]
    assert [each.id for each in of_scope(database, MAIN)] == [firing.id, *(each.id for each in ended[5:])]


def test_a_listing_shows_what_was_said(database: Database) -> None:
    first = save(database, alert(state=AlertState.RESOLVED))
    second = save(database, alert(scope=DEV))
    said = [notification(alert_id=first.id), notification(alert_id=first.id, transition=2)]
    database.transact(lambda session: outbox.add(session, said))
    views = database.read(lambda session: alerts.listing(session, all=True))
    assert [(view.alert.id, len(view.notifications)) for view in views] == [(second.id, 0), (first.id, 2)]
    assert [view.alert.id for view in database.read(alerts.listing)] == [second.id]


def test_what_was_broken_at_first_contact_is_told_once(database: Database) -> None:
    saved = save(database, alert(), untold=True)
    ended = save(database, alert(scope=DEV), untold=True)
    save(database, replace(ended, state=AlertState.RESOLVED))
    assert database.read(alerts.untold_baseline) == [saved]
    save(database, replace(saved, summary="changed"))
    assert len(database.read(alerts.untold_baseline)) == 1
    database.transact(lambda session: alerts.mark_baseline_told(session, [saved.id or 0]))
    assert database.read(alerts.untold_baseline) == []
