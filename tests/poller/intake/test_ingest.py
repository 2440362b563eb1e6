from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from domain.alert import Alert, AlertKind, AlertState, Notification, Reason
from domain.build import Build, Outcome, Verdict
from poller.config import Configuration
from poller.intake.ingest import Ingested
from providers._base import Unreadable
from store import alerts, cursors, outbox, pipelines, quarantine
from store import builds as stored_builds
from store.engine import Database
from tests.support.arriving import taken_in
from tests.support.builders import NOON, build, builds, minutes, pipeline
from tests.support.configurations import loaded

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG = """
providers:
  ci: {kind: fake}
pipelines:
  - {provider: ci, job: "web/*"}
  - {provider: ci, job: "lib/*", unstable: passed, branches: ["release/*"], alerts: {failure: {after: 2}}}
channels:
  desk: {kind: lamp}
  wall: {kind: lamp}
routes:
  - {match: {pipeline: "lib/*"}, to: [wall]}
  - {to: [desk]}
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return loaded(tmp_path / "config.yaml", CONFIG)


class House:
    """A store and a configuration, and pages that come in."""

    def __init__(self, database: Database, configuration: Configuration) -> None:
        self.database = database
        self.configuration = configuration
        self.now = minutes(60)

    def comes(self, *given: Build, last_poll: datetime | None = None, judge: bool = True, **page: object) -> Ingested:
        """A page of these builds."""
        how = {"last_poll": last_poll, "judge": judge}
        return taken_in(self.database, self.configuration, *given, now=self.now, page=page, **how)

    def alerts(self) -> list[Alert]:
        return [view.alert for view in self.database.read(lambda session: alerts.listing(session, all=True))]

    def said(self) -> list[tuple[str, Reason]]:
        notes: Sequence[Notification] = self.database.read(outbox.listing)
        return [(note.channel, note.reason) for note in reversed(notes)]


@pytest.fixture
def here(database: Database, configuration: Configuration) -> House:
    return House(database, configuration)


def test_a_failure_after_first_contact_is_told_where_the_routes_say(here: House) -> None:
    here.comes(build(1))
    brought = here.comes(build(2, Outcome.FAILURE))
    assert brought.told == {"desk"}
    assert [alert.kind for alert in brought.transitions] == [AlertKind.FAILURE]
    assert here.said() == [("desk", Reason.FIRST)]
    assert here.comes(build(2, Outcome.FAILURE)).told == frozenset()
    assert here.comes(build(3)).told == {"desk"}
    assert here.said() == [("desk", Reason.FIRST), ("desk", Reason.RESOLVED)]


def test_what_was_failing_at_first_contact_is_saved_untold(here: House) -> None:
    brought = here.comes(*builds("PFF"))
    assert brought.baseline
    assert here.said() == []
    assert len(here.database.read(alerts.untold_baseline)) == 1


def test_what_had_failed_and_recovered_before_first_contact_is_history(here: House) -> None:
    here.comes(*builds("PFFP"))
    assert here.alerts() == []


def test_a_failure_in_the_very_second_of_first_contact_is_news_when_it_comes_later(here: House) -> None:
    here.comes(build(1, finished_at=minutes(15)))
    brought = here.comes(build(2, Outcome.FAILURE, started_at=minutes(10), finished_at=minutes(15)))
    assert brought.told == {"desk"}


def test_a_new_pipeline_of_a_target_that_is_polled_already_is_news(here: House) -> None:
    here.comes(build(1), last_poll=None)
    fresh = build(1, Outcome.FAILURE, pipeline=pipeline("web/new"), started_at=minutes(55))
    assert here.comes(fresh, last_poll=minutes(59)).told == {"desk"}


def test_an_old_pipeline_that_is_added_to_the_configuration_is_baseline(here: House) -> None:
    old = build(1, Outcome.FAILURE, pipeline=pipeline("web/old"), started_at=NOON - timedelta(days=3))
    assert here.comes(old, last_poll=minutes(59)).baseline


def test_first_contact_with_the_branches_of_a_pipeline_may_take_several_pages(here: House) -> None:
    lib = pipeline("lib/core")
    here.comes(build(1, pipeline=lib, branch="release/1"))
    assert here.comes(*builds("PFF", first=10, pipeline=lib, branch="release/2")).baseline
    late = builds("FF", first=20, pipeline=lib, branch="release/3", started_at=minutes(20))
    assert here.comes(*late, last_poll=minutes(59)).baseline
    assert here.said() == []


def test_a_new_branch_that_fails_is_news(here: House) -> None:
    lib = pipeline("lib/core")
    here.comes(build(1, pipeline=lib, branch="release/1"))
    fresh = builds("FF", first=10, pipeline=lib, branch="release/2", started_at=minutes(55))
    assert here.comes(*fresh, last_poll=minutes(59)).told == {"wall"}


def test_a_build_that_ran_at_first_contact_and_fails_afterwards_is_told(here: House) -> None:
    here.comes(build(1), build(2, None))
    assert here.comes(build(2, Outcome.FAILURE)).told == {"desk"}


def test_backfill_stores_and_says_nothing(here: House) -> None:
    here.comes(build(9))
    brought = here.comes(*builds("FFF"), judge=False)
    assert len(brought.changes) == 3
    assert (brought.told, here.alerts()) == (frozenset(), [])


def test_other_branches_forks_and_pipelines_without_entry_are_stored_and_never_alert(here: House) -> None:
    here.comes(build(1), build(1, pipeline=pipeline("elsewhere/x")))
    brought = here.comes(
        build(2, Outcome.FAILURE, branch="feature/x"),
        build(3, Outcome.FAILURE, is_fork=True),
        build(4, Outcome.FAILURE, is_pull_request=True),
        build(2, Outcome.FAILURE, pipeline=pipeline("elsewhere/x")),
    )
    assert len(brought.changes) == 4
    assert here.alerts() == []


def test_routes_see_the_labels_that_were_read_off_a_build(database: Database, tmp_path: Path) -> None:
    text = CONFIG.replace('{match: {pipeline: "lib/*"}, to: [wall]}', "{match: {labels: {cloud: aws}}, to: [wall]}")
    here = House(database, loaded(tmp_path / "config.yaml", text))
    here.comes(build(1, labels={"cloud": "aws"}), build(1, pipeline=pipeline("web/b")))
    assert here.comes(build(2, Outcome.FAILURE, labels={"cloud": "aws"})).told == {"wall"}
    failed = build(2, Outcome.FAILURE, labels={"cloud": "gcp"}, pipeline=pipeline("web/b"))
    assert here.comes(failed).told == {"desk"}


def test_an_entry_has_rules_branches_and_verdicts_of_its_own(here: House) -> None:
    lib = pipeline("lib/core")
    release = {"pipeline": lib, "branch": "release/1"}
    here.comes(build(1, **release))
    assert here.comes(build(2, Outcome.UNSTABLE, **release)).changes[0].verdict is Verdict.PASSED
    assert here.comes(build(3, Outcome.FAILURE, **release)).told == frozenset()
    assert here.comes(build(4, Outcome.FAILURE, **release)).told == {"wall"}


def test_builds_cursors_and_messages_are_stored_together_or_not_at_all(
    here: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.comes(build(1), cursors={"job": {"next": 2}})

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "add", broken)
        with pytest.raises(ZeroDivisionError):
            here.comes(build(2, Outcome.FAILURE), cursors={"job": {"next": 3}})
    assert here.database.read(lambda session: cursors.load(session, "ci", "jobs")) == {"job": {"next": 2}}
    assert here.alerts() == []
    assert here.comes(build(2, Outcome.FAILURE), cursors={"job": {"next": 3}}).told == {"desk"}


def test_an_unreadable_build_is_quarantined_and_the_rest_is_stored(here: House) -> None:
    bad = Unreadable(pipeline="web/deploy", external_id="7", problem="no number", raw="{}")
    brought = here.comes(build(1), unreadable=[bad])
    assert (len(brought.changes), brought.unreadable) == (1, 1)
    assert here.database.read(quarantine.count) == 1


def test_a_missing_pipeline_is_told_once_and_again_when_it_is_back(here: House) -> None:
    here.comes(build(1))
    assert here.comes(missing=["web/deploy"]).told == {"desk"}
    assert here.comes(missing=["web/deploy"]).told == frozenset()
    assert here.comes(build(2)).told == {"desk"}
    assert [alert.state for alert in here.alerts()] == [AlertState.RESOLVED]
    assert here.comes(missing=["elsewhere/gone"]).told == frozenset()


def test_a_renamed_pipeline_keeps_its_history(here: House) -> None:
    here.comes(build(1))
    here.comes(build(2, pipeline=pipeline("web/better")), renamed={"web/deploy": "web/better"})
    assert [known.pipeline.key for known in here.database.read(pipelines.all)] == ["web/better"]


def test_a_renamed_pipeline_keeps_its_alerts(here: House) -> None:
    here.comes(build(1))
    here.comes(build(2, Outcome.FAILURE))
    better = pipeline("web/better")
    assert here.comes(build(3, Outcome.FAILURE, pipeline=better), renamed={"web/deploy": "web/better"}).told == set()
    here.comes(build(4, pipeline=better))
    assert here.said() == [("desk", Reason.FIRST), ("desk", Reason.RESOLVED)]
    assert [(alert.scope.pipeline, alert.state) for alert in here.alerts()] == [("web/better", AlertState.RESOLVED)]


@pytest.mark.parametrize("window", ["24h", "10 builds", "daily"])
def test_a_success_rate_under_the_line_is_told_whatever_the_window(
    window: str, database: Database, tmp_path: Path
) -> None:
    rule = (
        f"{{failure: off, success_rate_drop: off, success_rate_below: {{percent: 80, window: {window}, min_runs: 4}}}}"
    )
    text = CONFIG.replace('job: "web/*"}', f'job: "web/*", alerts: {rule}}}')
    here = House(database, loaded(tmp_path / "config.yaml", text))
    here.comes(build(1))
    here.now = minutes(90)
    assert here.comes(*builds("FPF", first=2)).told == {"desk"}
    assert [alert.kind for alert in here.alerts()] == [AlertKind.SUCCESS_RATE_BELOW]


def test_a_secret_in_the_title_of_a_commit_is_not_stored(here: House) -> None:
    token = "ghp_" + "a1B2" * 9
    here.comes(build(1, title=f"Try {token}"), build(2, title="Try again"))
    found = here.database.read(lambda session: stored_builds.recent(session, limit=2))
    assert [view.build.title for view in found] == ["Try again", "Try [redacted]"]
