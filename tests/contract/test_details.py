"""What every provider promises that tells details of builds, whatever server it reads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.build import Build, Outcome
from domain.details import Artifact, Details
from poller.config.plugins import find_plugins
from providers._base import Provider, ProviderError, Refused, TellsDetails, Trouble, Wanted
from simulator import faults
from simulator.server import Fault
from tests.contract.servers import STANDS, Stand

KINDS = find_plugins().providers
BROKEN: dict[str, Fault] = {
    "reset": faults.reset(),
    "cut": faults.cut(10),
    "html": faults.html(),
    "nonsense": faults.replace_body(b"[[["),
    "another shape": faults.replace_body(b'[1, {"x": null}]'),
    "a number": faults.replace_body(b"7"),
    "null": faults.replace_body(b"null"),
    "wrong lists": faults.replace_body(b'{"jobs": 7, "stages": "x", "artifacts": {}, "suites": 1, "commits": null}'),
    "odd lists": faults.replace_body(
        b'{"jobs": [7, {}], "stages": [null, {}], "artifacts": [[], {}], "suites": [{"cases": [1]}], "commits": [7]}'
    ),
    "401": faults.answer(401),
    "403": faults.answer(403, "{}"),
    "404": faults.answer(404, "{}"),
    "410": faults.answer(410, "{}"),
    "418": faults.answer(418),
    "429": faults.rate_limited(1),
    "503": faults.html(503),
    "redirect": faults.redirect("http://127.0.0.1:9/"),
    "a loop": faults.redirect("?again"),
    "a bomb": faults.gzip_bomb(1 << 28),
}


@dataclass
class Desk:
    """A provider that tells details, a build that passed and one after it that failed."""

    stand: Stand
    provider: Any  # Provider and TellsDetails
    good: Build
    bad: Build

    def details(self, **wanted: Any) -> Details:
        found: Details = self.provider.details(self.bad, Wanted(**wanted))
        return found


def _builds(provider: Provider) -> list[Build]:
    pages = (page for target in provider.targets() for page in provider.poll(target, {}, datetime.now(UTC)))
    found = [build for page in pages for build in page.builds]
    return sorted(found, key=lambda build: build.number)


@pytest.fixture(params=sorted(STANDS))
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    kind = request.param
    with STANDS[kind]() as stand:
        stand.build("a", "success")
        stand.build("a", "failure")
        plugin = KINDS.get(kind)
        settings = plugin.settings.model_validate({"kind": kind, **stand.settings})
        entries = [plugin.entry.model_validate({"provider": "it", **entry}) for entry in stand.entries[:1]]
        provider = plugin.provider("it", settings, entries)
        good, bad = _builds(provider)
        yield Desk(stand, provider, good, bad)
        provider.close()
        assert stand.server.errors == []


def test_every_provider_tells_details(desk: Desk) -> None:
    assert isinstance(desk.provider, TellsDetails)
    assert (desk.good.outcome, desk.bad.outcome) == (Outcome.SUCCESS, Outcome.FAILURE)


def test_a_failure_has_stages_a_failing_one_and_a_log(desk: Desk) -> None:
    found = desk.details()
    assert Outcome.FAILURE in {each.outcome for each in found.stages} or not found.stages
    assert found.logs
    assert all(each.text for each in found.logs)
    assert found.notes == ()


def test_no_more_of_the_logs_is_told_than_wanted(desk: Desk) -> None:
    for most in (0, 1, 50, 1 << 20):
        logs = desk.details(log_bytes=most).logs
        assert sum(len(each.text.encode()) for each in logs) <= most


def test_nothing_costs_hardly_anything_when_nothing_is_wanted(desk: Desk) -> None:
    desk.stand.server.forget()
    found = desk.details(stages=False, log_bytes=0, tests=False)
    assert (found.stages, found.failing_stage, found.logs, found.tests) == ((), None, (), None)
    assert len(desk.stand.server.requests) <= 1


def test_changes_are_never_fewer_than_their_commits(desk: Desk) -> None:
    changes = desk.details(since=desk.good).changes
    assert changes is not None
    assert changes.total >= len(changes.commits) > 0
    assert all(each.id and each.title for each in changes.commits)


def test_a_build_that_left_nothing_has_no_artifacts(desk: Desk) -> None:
    assert list(desk.provider.artifacts(desk.bad)) == []


def test_an_artifact_that_is_not_there_is_not_found(desk: Desk) -> None:
    for key in ("7", "reports/junit.xml", "../../../../etc/passwd", "?x", ""):
        with pytest.raises(Refused) as caught:
            desk.provider.read_artifact(desk.bad, Artifact(name="junit", key=key), 1000)
        assert caught.value.trouble is Trouble.NOT_FOUND


@pytest.mark.parametrize("name", BROKEN)
def test_whatever_the_server_answers_only_its_two_errors_escape_and_hold_no_secret(name: str, desk: Desk) -> None:
    desk.stand.server.fault(BROKEN[name])
    asks: tuple[Callable[[], Any], ...] = (
        lambda: desk.details(since=desk.good),
        lambda: desk.details(stages=False, log_bytes=0, since=desk.good),
        lambda: desk.provider.artifacts(desk.bad),
        lambda: desk.provider.read_artifact(desk.bad, Artifact(name="junit", key="7"), 1 << 20),
    )
    for ask in asks:
        try:
            told = str(ask())
        except ProviderError as error:
            told = f"{error} {error!r}"
        assert not any(secret in told for secret in desk.stand.secrets)


@pytest.mark.parametrize("name", ["reset", "html", "odd lists", "418", "redirect"])
def test_when_nothing_can_be_read_a_later_try_brings_it(name: str, desk: Desk) -> None:
    desk.stand.server.fault(BROKEN[name])
    try:
        found = desk.details()
    except ProviderError:
        desk.stand.server.heal()
        assert desk.details().logs
    else:
        assert found.notes
