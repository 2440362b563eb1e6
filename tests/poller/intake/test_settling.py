"""Re-runs are awaited: what is told, when, and that it is never nothing."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from domain.alert import Alert, AlertKind, AlertState, Notification, Reason, Scope
from domain.build import Build, Outcome
from poller.config import Configuration
from poller.intake.settling import settle_due
from store import alerts, awaited, outbox, streams
from store.engine import Database
from tests.support.arriving import taken_in
from tests.support.builders import alert, build, minutes, pipeline
from tests.support.configurations import loaded

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG = """
providers:
  ci: {kind: fake}
pipelines:
  - {provider: ci, job: "web/*", rerun: {wait: 10m}}
  - {provider: ci, job: "lib/*"}
channels:
  desk: {kind: lamp}
"""


class House:
    """A store, a configuration, and a clock that only tests move."""

    def __init__(self, database: Database, configuration: Configuration) -> None:
        self.database = database
        self.configuration = configuration
        self.now = minutes(15)

    def comes(self, *given: Build, last_poll: datetime | None = None, **page: object) -> frozenset[str]:
        """A page of these builds."""
        where = self.database, self.configuration
        return taken_in(*where, *given, now=self.now, last_poll=last_poll, page=page).told

    def passes(self, count: float) -> frozenset[str]:
        """So many minutes, and then the daemon looks after what time alone changes."""
        self.now += timedelta(minutes=count)
        return self.database.transact(lambda session: settle_due(session, self.configuration, self.now))

    def alerts(self) -> list[Alert]:
        return [view.alert for view in self.database.read(lambda session: alerts.listing(session, all=True))]

    def said(self) -> list[Reason]:
        notes: Sequence[Notification] = self.database.read(outbox.listing)
        return [note.reason for note in reversed(notes)]

    def waiting(self) -> int:
        return len(self.database.read(awaited.all))


@pytest.fixture
def here(database: Database, tmp_path: Path) -> House:
    house = House(database, loaded(tmp_path / "config.yaml", CONFIG))
    house.comes(build(0))
    return house


def failed(number: int = 1, **changes: Any) -> Build:
    """Build 1 ends at minute 15."""
    return build(number, Outcome.FAILURE, **changes)


def again(outcome: Outcome | None, attempt: int = 2) -> Build:
    return build(1, outcome, attempt=attempt, started_at=minutes(16 + attempt))


def test_a_failure_is_told_when_nobody_has_run_it_again_for_the_wait(here: House) -> None:
    assert here.comes(failed()) == frozenset()
    assert here.waiting() == 1
    assert here.passes(9) == frozenset()
    assert here.passes(1) == {"desk"}
    assert here.passes(1) == frozenset()
    assert (here.said(), here.waiting()) == ([Reason.FIRST], 0)


def test_the_first_build_of_a_branch_may_be_awaited(here: House) -> None:
    """Then there is nothing in its stream yet."""
    here.comes(failed(branch="release"), failed(pipeline=pipeline("web/new")), last_poll=minutes(10))
    assert here.passes(10) == {"desk"}


def test_a_failure_that_passes_on_rerun_within_the_wait_is_told_to_nobody(here: House) -> None:
    here.comes(failed())
    here.passes(5)
    here.comes(again(Outcome.SUCCESS))
    assert here.waiting() == 0
    assert here.passes(300) == frozenset()
    assert (here.said(), here.alerts()) == ([], [])


def test_a_rerun_that_fails_is_told_at_once(here: House) -> None:
    here.comes(failed())
    assert here.comes(again(Outcome.FAILURE)) == {"desk"}


def test_a_rerun_that_is_cancelled_settles_with_the_older_failure(here: House) -> None:
    here.comes(failed())
    here.comes(again(None))
    assert here.passes(30) == frozenset()  # it runs
    assert here.comes(again(Outcome.CANCELLED)) == {"desk"}
    assert [each.evidence["last_failed"]["number"] for each in here.alerts()] == [1]


def test_a_rerun_that_never_ends_does_not_silence_the_failure(here: House) -> None:
    here.comes(failed(), again(None))
    assert here.passes(119) == frozenset()
    assert here.passes(1) == {"desk"}
    here.comes(again(Outcome.SUCCESS))
    assert here.said() == [Reason.FIRST, Reason.RESOLVED]
    assert here.alerts()[0].evidence["flaky"]


def test_a_failure_that_is_found_late_is_told_when_all_pages_have_come(here: House) -> None:
    here.now = minutes(60)
    assert here.comes(failed()) == frozenset()
    assert here.passes(0) == {"desk"}


def test_a_rerun_on_a_later_page_of_the_same_poll_is_waited_for(here: House) -> None:
    here.comes(failed(), last_poll=minutes(14))
    here.now = minutes(60)
    assert here.comes(build(2), last_poll=minutes(16)) == frozenset()
    assert here.comes(again(Outcome.SUCCESS), last_poll=minutes(16)) == frozenset()
    assert here.passes(300) == frozenset()
    assert here.said() == []


def test_without_a_wait_a_failure_is_told_at_once_and_taken_back_on_rerun(here: House) -> None:
    lib = pipeline("lib/core")
    here.comes(build(0, pipeline=lib))
    assert here.comes(failed(pipeline=lib)) == {"desk"}
    assert here.comes(replace(again(Outcome.SUCCESS), pipeline=lib)) == {"desk"}
    (found,) = here.alerts()
    assert (found.state, found.evidence["flaky"]) == (AlertState.RESOLVED, True)
    assert here.comes(replace(failed(2), pipeline=lib)) == {"desk"}
    assert here.alerts()[0].evidence["last_passed"]["number"] == 1


def test_a_newer_build_of_the_same_commit_is_a_rerun_too(here: House) -> None:
    """Jenkins counts no attempts: a build that is run again has the next number."""
    same: dict[str, Any] = {"commit": "c" * 40}
    here.comes(failed(**same))
    here.comes(build(2, None, **same))
    assert here.passes(30) == frozenset()
    here.comes(build(2, **same))
    assert here.passes(300) == frozenset()
    assert here.said() == []


def test_a_rerun_with_a_number_of_its_own_may_come_on_the_same_page(here: House) -> None:
    here.now = minutes(30)
    here.comes(failed(commit="c" * 40), build(2, commit="c" * 40), last_poll=minutes(5))
    assert (here.passes(300), here.said(), here.waiting()) == (frozenset(), [], 0)


def test_the_same_commit_on_another_cloud_is_no_rerun(here: House) -> None:
    here.comes(failed(commit="c" * 40, labels={"cloud": "aws"}))
    here.comes(build(2, commit="c" * 40, labels={"cloud": "gcp"}))
    assert here.passes(10) == {"desk"}
    assert not here.alerts()[0].evidence["flaky"]


def test_the_same_commit_failing_twice_is_told_at_once(here: House) -> None:
    same: dict[str, Any] = {"commit": "c" * 40}
    here.comes(failed(**same))
    here.comes(failed(2, **same))
    assert here.said() == [Reason.FIRST]


def test_without_a_wait_a_pass_on_the_same_commit_is_a_recovery_on_rerun(here: House) -> None:
    lib: dict[str, Any] = {"pipeline": pipeline("lib/core"), "commit": "c" * 40}
    here.comes(build(0, pipeline=pipeline("lib/core")))
    here.comes(failed(**lib))
    here.comes(build(2, **lib))
    notes: Sequence[Notification] = here.database.read(outbox.listing)
    assert "has recovered on re-run" in notes[0].message.headline


def test_a_pass_on_another_commit_leaves_the_failure_a_failure(here: House) -> None:
    here.comes(failed())
    here.comes(build(2))
    assert here.passes(10) == {"desk"}
    (found,) = here.alerts()
    assert found.state is AlertState.RESOLVED
    assert not found.evidence["flaky"]


def test_what_is_awaited_survives_the_same_page_again_and_a_restart(here: House) -> None:
    here.comes(failed())
    here.comes(failed())
    here.comes(failed(reason="exit code 2"))
    assert here.waiting() == 1
    assert here.passes(10) == {"desk"}
    here.comes(failed(reason="exit code 3"))  # details of what has settled
    assert (here.said(), here.waiting()) == ([Reason.FIRST], 0)


def test_what_had_failed_at_first_contact_awaits_nothing(here: House) -> None:
    old: dict[str, Any] = {"pipeline": pipeline("web/old"), "started_at": minutes(1)}
    here.comes(failed(**old), last_poll=minutes(14))
    assert here.waiting() == 0
    assert len(here.database.read(alerts.untold_baseline)) == 1


def test_a_wait_that_is_taken_out_of_the_configuration_is_over(here: House, tmp_path: Path) -> None:
    here.comes(failed())
    here.configuration = loaded(tmp_path / "config.yaml", CONFIG.replace("10m", "0"))
    assert here.passes(0) == {"desk"}


def test_a_pipeline_that_is_no_longer_watched_awaits_nothing(here: House, tmp_path: Path) -> None:
    here.comes(failed())
    here.configuration = loaded(tmp_path / "config.yaml", CONFIG.replace("web/*", "other/*"))
    here.comes(build(0, pipeline=pipeline("lib/core")))
    assert here.waiting() == 1
    assert here.passes(0) == frozenset()
    assert here.waiting() == 0


def test_a_branch_that_is_no_longer_watched_awaits_nothing(here: House, tmp_path: Path) -> None:
    here.comes(failed())
    here.configuration = loaded(
        tmp_path / "config.yaml", CONFIG.replace('"web/*",', '"web/*", branches: ["release/*"],')
    )
    assert (here.passes(60), here.waiting(), here.alerts()) == (frozenset(), 0, [])


def test_a_page_releases_what_it_finds_settled_even_of_a_pipeline_no_longer_watched(
    here: House, tmp_path: Path
) -> None:
    here.comes(failed())
    here.configuration = loaded(tmp_path / "config.yaml", CONFIG.replace("web/*", "other/*"))
    here.comes(failed())
    assert (here.said(), here.waiting()) == ([], 0)


def test_while_a_provider_cannot_be_read_nothing_of_it_settles(here: House) -> None:
    here.comes(failed())
    unreachable = alert(kind=AlertKind.PROVIDER_UNREACHABLE, scope=Scope(provider="ci"))
    saved = here.database.transact(lambda session: alerts.save(session, unreachable))
    assert here.passes(60) == frozenset()
    over = replace(saved, state=AlertState.RESOLVED, resolved_at=here.now)
    here.database.transact(lambda session: alerts.save(session, over))
    assert here.passes(0) == {"desk"}


def test_rates_do_not_count_what_is_awaited(here: House) -> None:
    def rate() -> tuple[int, int]:
        return here.database.read(lambda session: streams.counts(session, "ci", "web/deploy", "main", last=5))

    here.comes(failed())
    assert rate() == (1, 0)
    here.passes(10)
    assert rate() == (1, 1)
