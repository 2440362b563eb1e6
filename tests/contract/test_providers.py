"""What every provider promises, whatever server it reads: one suite over all that the daemon finds."""

import contextlib
import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.build import Build, Outcome, Status
from poller.config.plugins import find_plugins
from providers._base import (
    Cursor,
    Page,
    PipelineEntry,
    Probe,
    Provider,
    ProviderError,
    ProviderSettings,
    TakesPushed,
    Target,
)
from simulator import faults
from simulator.server import Fault
from tests.contract.servers import SERVERLESS, STANDS, Stand
from tests.support.hostile import HOSTILE

KINDS = find_plugins().providers


def test_every_provider_has_a_server_to_be_tested_on() -> None:
    known = {*STANDS, *SERVERLESS}
    assert set(KINDS.names) == known, "add the new kind to tests/contract/servers.py"
    assert not [kind for kind in STANDS if not KINDS.get(kind).settings.polled]


@pytest.mark.parametrize("kind", sorted(SERVERLESS))
def test_a_provider_without_a_server_has_nothing_to_poll_and_answers_all_the_same(kind: str) -> None:
    plugin = KINDS.get(kind)
    assert not plugin.settings.polled
    settings, entry = plugin.settings.model_validate({"kind": kind}), plugin.entry.model_validate({"provider": "it"})
    provider = plugin.provider("it", settings, [entry])
    assert isinstance(provider, TakesPushed)
    assert provider.name == "it"
    assert list(provider.targets()) == list(provider.discover()) == []
    now = datetime.now(UTC)
    target = Target(provider="it", key="any", every=timedelta(minutes=1))
    assert list(provider.poll(target, {}, now)) == list(provider.backfill(target, [], now, {}, now)) == []
    assert provider.probe() == Probe()
    provider.close()
    pytest.skip(f"the rest of this suite: {SERVERLESS[kind]}")


@dataclass
class Watch:
    """A provider and what a store would remember of its polls."""

    stand: Stand
    provider: Provider
    cursors: dict[str, dict[str, Cursor]] = field(default_factory=dict)
    builds: dict[tuple[str, str, int], Build] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)  # of the latest poll
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def poll(self) -> list[Build]:
        """One poll of every target; returns what is new or different by it, as a store would see it, oldest first.

        Raises what the provider raises.
        """
        self.now = max(self.now, datetime.now(UTC)) + timedelta(seconds=1)
        self.pages, before = [], dict(self.builds)
        for target in self.provider.targets():
            self._poll(target)
        news = [build for key, build in self.builds.items() if before.get(key) != build]
        return sorted(news, key=lambda build: (build.number, build.attempt))

    def _poll(self, target: Target) -> None:
        known = self.cursors.setdefault(target.key, {})
        for page in self.provider.poll(target, dict(known), self.now):
            self.pages.append(page)
            for key, value in page.cursors.items():
                known.pop(key, None)
                if value is not None:
                    known[key] = json.loads(json.dumps(value, allow_nan=False))  # as a store gives it back
            for build in page.builds:
                self.builds[build.pipeline.key, build.external_id, build.attempt] = build

    def outcomes(self, pipeline: str) -> list[Outcome | None]:
        """How the builds of pipeline "a" or "b" ended, oldest first."""
        found = [build for build in self.builds.values() if _short(build.pipeline.key) == pipeline]
        return [build.outcome for build in sorted(found, key=lambda build: (build.number, build.attempt))]


def _short(key: str) -> str:
    return "a" if key == "a" or "/a/" in key else "b"


@pytest.fixture(params=sorted(STANDS))
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with STANDS[request.param]() as found:
        found.build("a", "success")
        found.build("b", "success")
        yield found
        assert found.server.errors == []


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["stand"])


@pytest.fixture
def settings(stand: Stand, kind: str) -> ProviderSettings:
    return KINDS.get(kind).settings.model_validate({"kind": kind, **stand.settings})


@pytest.fixture
def entries(stand: Stand, kind: str) -> list[PipelineEntry]:
    return [KINDS.get(kind).entry.model_validate({"provider": "it", **entry}) for entry in stand.entries]


@pytest.fixture
def watch(stand: Stand, kind: str, settings: ProviderSettings, entries: list[PipelineEntry]) -> Iterator[Watch]:
    provider = KINDS.get(kind).provider("it", settings, entries)
    yield Watch(stand, provider)
    provider.close()


def test_making_one_reaches_nothing(watch: Watch) -> None:
    assert watch.provider.name == "it"
    assert watch.stand.server.requests == []


def test_its_targets_are_named_after_it_and_have_a_period(watch: Watch, settings: ProviderSettings) -> None:
    targets = watch.provider.targets()
    assert targets
    assert {target.provider for target in targets} == {"it"}
    assert len({target.key for target in targets}) == len(targets)
    assert all(target.every >= settings.poll_every for target in targets)


def test_first_contact_brings_what_is_there(watch: Watch, entries: list[PipelineEntry]) -> None:
    watch.poll()
    assert watch.outcomes("a") == watch.outcomes("b") == [Outcome.SUCCESS]
    met = {pipeline.key: pipeline for page in watch.pages for pipeline in page.pipelines}
    assert {build.pipeline.key for build in watch.builds.values()} <= set(met)
    for pipeline in met.values():
        assert pipeline.provider == "it"
        assert sum(entry.matches(pipeline.key) for entry in entries) == 1


def test_first_contact_is_bounded(watch: Watch) -> None:
    for _ in range(600):
        watch.stand.build("a", "success")
    watch.stand.server.forget()
    watch.poll()
    assert 20 <= len(watch.outcomes("a")) <= 200
    assert len(watch.stand.server.requests) <= 10


def test_a_poll_after_which_nothing_happened_brings_nothing(watch: Watch) -> None:
    watch.poll()
    cursors = json.dumps(watch.cursors, sort_keys=True)
    for _ in range(3):
        assert watch.poll() == []
    assert json.dumps(watch.cursors, sort_keys=True) == cursors


def test_the_same_cursors_bring_the_same_builds(watch: Watch) -> None:
    watch.poll()
    watch.stand.build("a", "failure")
    before = json.loads(json.dumps(watch.cursors))
    first = watch.poll()
    watch.cursors = before
    assert watch.poll() == []
    assert {build.external_id for build in first} <= {
        build.external_id for page in watch.pages for build in page.builds
    }


def test_a_restart_in_between_changes_nothing(
    watch: Watch, kind: str, settings: ProviderSettings, entries: list[PipelineEntry]
) -> None:
    watch.poll()
    watch.stand.build("b", "failure")
    again = KINDS.get(kind).provider("it", settings, entries)
    watch.provider.close()
    watch.provider = again
    assert [build.outcome for build in watch.poll()] == [Outcome.FAILURE]


def test_a_running_build_is_followed_to_its_end(watch: Watch) -> None:
    watch.poll()
    finish = watch.stand.start("a")
    (running,) = watch.poll()
    assert running.status in {Status.RUNNING, Status.QUEUED}
    assert running.outcome is None
    watch.poll()
    later = watch.stand.start("a")  # a newer one does not hide it
    later("success")
    watch.poll()
    finish("failure")
    watch.poll()
    assert watch.outcomes("a") == [Outcome.SUCCESS, Outcome.FAILURE, Outcome.SUCCESS]
    ended = watch.builds[running.pipeline.key, running.external_id, running.attempt]
    assert ended.finished_at is not None
    assert ended.started_at is not None
    assert ended.duration == ended.finished_at - ended.started_at


def test_breaking_and_healing_are_seen_in_order(watch: Watch) -> None:
    watch.poll()
    for outcome in ("failure", "failure", "success"):
        watch.stand.build("a", outcome)
    assert [build.outcome for build in watch.poll()] == [Outcome.FAILURE, Outcome.FAILURE, Outcome.SUCCESS]


def test_every_build_has_what_people_need(watch: Watch) -> None:
    watch.stand.build("a", "failure")
    watch.poll()
    for build in watch.builds.values():
        assert build.pipeline.provider == "it"
        assert build.external_id
        assert build.raw_outcome
        assert build.url
        assert build.url.startswith("http")
        assert build.started_at is not None
        assert build.finished_at is not None
        assert build.started_at <= build.finished_at


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_every_text_is_clean(text: str, watch: Watch) -> None:
    watch.stand.hostile(text)
    watch.poll()
    assert len(watch.outcomes("a")) == 2
    for build in watch.builds.values():
        for name in ("branch", "commit", "title", "trigger", "actor", "raw_outcome", "reason", "external_id"):
            value = getattr(build, name)
            assert value is None or not {"Cc", "Cs"} & set(map(unicodedata.category, value)), name
            assert value is None or len(value) <= 300


def test_a_build_that_cannot_be_read_is_set_aside_and_the_rest_goes_on(watch: Watch) -> None:
    watch.poll()
    watch.stand.unreadable()
    watch.stand.build("a", "failure")
    watch.poll()
    assert watch.outcomes("a") == [Outcome.SUCCESS, Outcome.FAILURE]
    (aside,) = [each for page in watch.pages for each in page.unreadable]
    assert aside.problem
    assert aside.raw
    assert len(aside.raw) <= 16 * 1024


BROKEN: Mapping[str, Fault] = {
    "drop": faults.drop(),
    "reset": faults.reset(),
    "cut": faults.cut(10),
    "cut without a length": faults.cut(10, announced=False),
    "html": faults.html(),
    "nonsense": faults.replace_body(b"[[["),
    "another shape": faults.replace_body(b'[1, {"x": null}]'),
    "a number": faults.replace_body(b"7"),
    "null": faults.replace_body(b"null"),
    "wrong lists": faults.replace_body(b'{"jobs": 7, "workflow_runs": "x", "builds": {}}'),
    "401": faults.answer(401),
    "403": faults.answer(403, "{}"),
    "404": faults.answer(404, "{}"),
    "418": faults.answer(418),
    "429": faults.rate_limited(1),
    "503": faults.html(503),
    "redirect": faults.redirect("http://127.0.0.1:9/"),
    "a loop": faults.redirect("?again"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_only_its_two_errors_escape_and_they_hold_no_secret(name: str, watch: Watch) -> None:
    watch.poll()
    before = json.dumps(watch.cursors)
    watch.stand.server.fault(BROKEN[name])
    for ask in (watch.poll, watch.provider.probe, lambda: list(watch.provider.discover())):
        error: ProviderError | None = None
        try:
            ask()
        except ProviderError as caught:
            error = caught
        if error is not None:
            assert error.trouble
            assert not any(secret in f"{error} {error!r}" for secret in watch.stand.secrets)
    assert not [page.missing for page in watch.pages if page.missing]
    if name != "404":  # an absence is counted
        assert json.dumps(watch.cursors) == before


@pytest.mark.parametrize("name", ["reset", "html", "401", "503"])
def test_what_happened_behind_an_outage_comes_afterwards(name: str, watch: Watch) -> None:
    watch.poll()
    watch.stand.server.fault(BROKEN[name])
    for outcome in ("failure", "success", "failure"):
        watch.stand.build("b", outcome)
        with pytest.raises(ProviderError):
            watch.poll()
    watch.stand.server.heal()
    assert [build.outcome for build in watch.poll()] == [Outcome.FAILURE, Outcome.SUCCESS, Outcome.FAILURE]


def test_a_pipeline_that_is_gone_is_believed_only_after_a_while(watch: Watch) -> None:
    watch.poll()
    watch.stand.remove("b")
    gone: list[str] = []
    for count in range(1, 6):
        with contextlib.suppress(ProviderError):
            watch.poll()
        gone += [key for page in watch.pages for key in page.missing]
        if count == 1:
            assert gone == []
    assert [_short(key) for key in gone] == ["b"]


def test_discover_offers_entries_that_would_be_accepted(watch: Watch, kind: str) -> None:
    found = list(watch.provider.discover())
    assert len(found) >= 2
    for candidate in found:
        entry = KINDS.get(kind).entry.model_validate(candidate.entry)
        assert entry.provider == "it"
        assert entry.matches(candidate.pipeline.key)
        assert candidate.watched


def test_probe_tells_about_the_connection(watch: Watch) -> None:
    probe = watch.provider.probe()
    assert isinstance(probe, Probe)
    assert probe.identity
    if probe.clock_skew is not None:
        assert abs(probe.clock_skew) < timedelta(seconds=5)


def test_history_comes_in_pages_that_can_be_resumed(watch: Watch) -> None:
    for _ in range(250):
        watch.stand.build("a", "success")
    watch.poll()
    since = datetime.now(UTC) - timedelta(days=1)
    for target in watch.provider.targets():
        cursor: Any = {}
        for _ in range(500):  # stop after each page, and come again
            page = next(iter(watch.provider.backfill(target, (), since, cursor, watch.now)), None)
            if page is None:
                break
            for build in page.builds:
                watch.builds[build.pipeline.key, build.external_id, build.attempt] = build
            cursor = page.cursors.get("backfill", cursor)
            if cursor is None:
                break
    assert len(watch.outcomes("a")) == 251
