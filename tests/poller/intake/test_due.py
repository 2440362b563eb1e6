"""Which builds are to be read: those that failed, and all of which a report is wanted."""

from pathlib import Path

import pytest

from domain.build import Outcome
from poller.intake import due
from store.engine import Database
from tests.support.builders import build, builds, minutes, pipeline
from tests.support.teller import ExplainedDesk


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> ExplainedDesk:
    desk = ExplainedDesk(database, tmp_path)
    desk.builds("P")
    return desk


def test_only_what_failed_is_read(desk: ExplainedDesk) -> None:
    desk.builds("PAFR")
    assert desk.due() == [4]


def test_a_build_that_is_seen_again_is_read_once(desk: ExplainedDesk) -> None:
    desk.builds("F")
    desk.explains()
    desk.comes(build(2, Outcome.FAILURE, title="seen again"))
    assert desk.due() == []


def test_what_may_alert_comes_first_and_then_what_is_new(desk: ExplainedDesk) -> None:
    desk.builds("F")
    desk.comes(build(8, Outcome.FAILURE, is_pull_request=True))
    desk.comes(build(9, Outcome.FAILURE))
    assert desk.due() == [4, 2, 3]


def test_without_details_only_what_has_reports_is_read(database: Database, tmp_path: Path) -> None:
    desk = ExplainedDesk(database, tmp_path, "details: off\n")
    desk.builds("PF")
    assert desk.due() == []


def test_every_build_with_a_report_is_read(database: Database, tmp_path: Path) -> None:
    desk = ExplainedDesk(database, tmp_path)
    desk.with_text(tmp_path, "labels: {team: web}", 'parsers: {junit: "**/*.xml"}')
    desk.builds("PAP")
    assert desk.due() == [3, 1]


def test_a_provider_that_tells_nothing_is_not_asked(desk: ExplainedDesk) -> None:
    desk.tells_details = False
    desk.builds("F")
    assert desk.due() == []


def test_of_what_failed_before_first_contact_only_the_newest_is_read(database: Database, tmp_path: Path) -> None:
    desk = ExplainedDesk(database, tmp_path)
    desk.now = minutes(600)
    green = pipeline("web/green")
    desk.comes(*builds("FFF"), *builds("FP", pipeline=green))
    assert desk.due() == [3]


def test_of_a_flood_the_oldest_are_left_out(desk: ExplainedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "MOST", 2)
    desk.builds("FFF")
    assert desk.due() == [4, 3]


def test_a_pipeline_that_nobody_watches_is_not_read(desk: ExplainedDesk) -> None:
    stranger = pipeline("other/thing")
    desk.comes(build(1, pipeline=stranger))
    desk.comes(build(2, Outcome.FAILURE, pipeline=stranger))
    assert desk.due() == []
