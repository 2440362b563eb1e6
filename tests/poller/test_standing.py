from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.kinds.reachability import Unreadable
from domain.alert import Alert, AlertKind, AlertState, Reason, Scope
from domain.build import Build, Outcome
from poller import standing
from poller.config import Configuration
from poller.intake.ingest import ingest
from poller.reload import Broken
from poller.watching.parts import Part
from providers._base import Page, Target
from store import alerts, outbox
from store import providers as stored_providers
from store.engine import Database, Session
from store.providers import ProviderHealth
from tests.support.arriving import taken_in
from tests.support.builders import NOON, build, minutes, pipeline
from tests.support.configurations import loaded

CONFIG = """
providers:
  ci: {kind: fake}
pipelines:
  - {provider: ci, job: "web/*"}
  - {provider: ci, job: "lib/*"}
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


def first_contact(database: Database, configuration: Configuration, *keys: str) -> None:
    """These pipelines were failing when we first looked."""
    failed = [build(1, Outcome.FAILURE, pipeline=pipeline(key)) for key in keys]
    taken_in(database, configuration, *failed, now=minutes(60))


def said(database: Database) -> list[tuple[str, Reason, str]]:
    notes = reversed(database.read(outbox.listing))
    return [(note.channel, note.reason, note.message.headline) for note in notes]


def firing(database: Database) -> list[Alert]:
    return database.read(alerts.firing)


def test_the_first_summary_goes_to_each_channel_with_its_own_pipelines(
    database: Database, configuration: Configuration
) -> None:
    first_contact(database, configuration, "web/a", "web/b", "lib/c")
    told = database.transact(lambda session: standing.tell_baseline(session, configuration, minutes(61)))
    assert told == {"desk", "wall"}
    assert sorted(channel for channel, *_ in said(database)) == ["desk", "wall"]
    assert {alert.channels for alert in firing(database)} == {("desk",), ("wall",)}
    again = database.transact(lambda session: standing.tell_baseline(session, configuration, minutes(62)))
    assert again == frozenset()


def test_nothing_is_summed_up_when_all_was_well(database: Database, configuration: Configuration) -> None:
    assert database.transact(lambda session: standing.tell_baseline(session, configuration, NOON)) == frozenset()


def test_a_provider_that_does_not_answer_is_one_alert_with_its_resolution(
    database: Database, configuration: Configuration
) -> None:
    first_contact(database, configuration, "web/a")
    facts = ProviderHealth(
        name="ci", failing_since=NOON, failures=3, trouble="timeout", text="ci.example.com: no answer in 30 s"
    )

    def judge(facts: ProviderHealth, after: float) -> frozenset[str]:
        return database.transact(lambda session: standing.judge_provider(session, facts, configuration, minutes(after)))

    assert judge(facts, 9) == frozenset()
    assert judge(facts, 11) == {"desk"}
    assert judge(replace(facts, failures=4), 12) == frozenset()
    assert judge(ProviderHealth(name="ci", last_ok_at=minutes(13)), 13) == {"desk"}
    assert [reason for _, reason, _ in said(database)] == [Reason.FIRST, Reason.RESOLVED]


WEB = Part(
    name="ci",
    key="web",
    target="web",
    failing_since=NOON,
    failures=3,
    trouble="auth",
    text="GET web refuses access (403)",
)
LIB = Target(provider="ci", key="lib", every=timedelta(seconds=60))
TARGETS = [replace(LIB, key=key) for key in ("web", "lib", "api", "doc")]


def judge_parts(
    database: Database, configuration: Configuration, parts: list[Part], after: float, targets: list[Target] = TARGETS
) -> frozenset[str]:
    def unit(session: Session) -> frozenset[str]:
        facts = ProviderHealth(name="ci", last_ok_at=NOON)
        return standing.judge_provider(session, facts, configuration, minutes(after), parts=parts, targets=targets)

    return database.transact(unit)


def test_a_part_that_cannot_be_read_is_told_by_its_name_and_resolves_by_itself(
    database: Database, configuration: Configuration
) -> None:
    first_contact(database, configuration, "web/a", "lib/c")
    assert judge_parts(database, configuration, [WEB], 9) == frozenset()
    assert judge_parts(database, configuration, [WEB], 10) == {"desk"}
    (alert,) = [each for each in firing(database) if each.kind is AlertKind.PROVIDER_UNREACHABLE]
    assert alert.scope == Scope(provider="ci", branch="web")
    frozen = Unreadable.of([alert])
    assert (frozen.covers("ci", "web/a"), frozen.covers("ci", "Web"), frozen.covers("ci", "lib/c")) == (
        True,
        True,
        False,
    )
    assert not frozen.covers("ci", None)
    assert judge_parts(database, configuration, [replace(WEB, failures=4)], 11) == frozenset()
    assert judge_parts(database, configuration, [], 12, targets=[]) == frozenset(), "nobody knows what is polled"
    assert judge_parts(database, configuration, [], 13) == {"desk"}
    assert [(reason, headline) for _, reason, headline in said(database)] == [
        (Reason.FIRST, "🔴 ci / web cannot be read: GET web refuses access (403); 1 pipeline frozen"),
        (Reason.RESOLVED, "🟢 ci / web can be read again after 13 m"),
    ]


def test_when_most_parts_fail_one_message_says_that_it_is_the_provider(
    database: Database, configuration: Configuration
) -> None:
    parts = [replace(WEB, key=key, target=key) for key in ("web", "lib", "api")]
    assert judge_parts(database, configuration, parts, 10) == {"desk"}
    (alert,) = firing(database)
    assert alert.scope == Scope(provider="ci")
    assert alert.evidence["text"] == "web (and 2 more): GET web refuses access (403)"
    assert judge_parts(database, configuration, parts[:1], 11) == {"desk"}
    assert {each.scope.branch for each in firing(database)} == {"web"}


def test_an_alert_on_a_part_outlives_that_most_of_the_provider_fails(
    database: Database, configuration: Configuration
) -> None:
    judge_parts(database, configuration, [WEB], 10)
    judge_parts(database, configuration, [replace(WEB, key=key, target=key) for key in ("web", "lib", "api")], 11)
    assert {each.scope.branch for each in firing(database)} == {None, "web"}


def test_an_alert_on_a_part_that_nobody_asks_for_is_closed(database: Database, configuration: Configuration) -> None:
    judge_parts(database, configuration, [WEB], 10)
    judge_parts(database, configuration, [WEB], 11, targets=[LIB])
    assert firing(database) == []
    assert said(database)[-1][1] is Reason.CLOSED


def test_alerts_on_what_is_not_watched_any_more_are_closed(
    database: Database, configuration: Configuration, tmp_path: Path
) -> None:
    first_contact(database, configuration, "web/a", "lib/c")
    database.transact(lambda session: standing.tell_baseline(session, configuration, minutes(61)))
    fewer = loaded(tmp_path / "less.yaml", CONFIG.replace('  - {provider: ci, job: "web/*"}\n', ""))
    told = database.transact(lambda session: standing.close_orphans(session, fewer, minutes(62)))
    assert told == {"desk"}
    assert [alert.scope.pipeline for alert in firing(database)] == ["lib/c"]
    none = loaded(
        tmp_path / "none.yaml",
        CONFIG.replace("  ci: {kind: fake}", "  x: {kind: fake}").replace("provider: ci", "provider: x"),
    )
    database.transact(lambda session: standing.close_orphans(session, none, minutes(63)))
    assert firing(database) == []
    assert {reason for *_, reason, _ in said(database)} == {Reason.FIRST, Reason.CLOSED}


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ('job: "web/*", branches: [release]', "no longer watched"),
        ('job: "web/*", branches: [release, "ma*"]', None),
        ('job: "web/*", alerts: {failure: off}', "failure is switched off"),
        ('job: "web/*", alerts: {success_rate_drop: off}', None),
    ],
)
def test_alerts_that_no_build_could_end_any_more_are_closed(
    database: Database, configuration: Configuration, tmp_path: Path, change: str, because: str | None
) -> None:
    first_contact(database, configuration, "web/a")
    database.transact(lambda session: standing.tell_baseline(session, configuration, minutes(61)))
    changed = loaded(tmp_path / "changed.yaml", CONFIG.replace('job: "web/*"', change))
    told = database.transact(lambda session: standing.close_orphans(session, changed, minutes(62)))
    assert told == ({"desk"} if because else set())
    ended = [view.alert.evidence.get("closed_because") for view in database.read(lambda s: alerts.listing(s, all=True))]
    assert because in ended


def test_a_scheduled_build_keeps_the_alert_on_its_branch(database: Database, configuration: Configuration) -> None:
    def comes(*given: Build) -> None:
        taken_in(database, configuration, *given, now=minutes(60))

    web = pipeline("web/a")
    comes(build(1, pipeline=web, branch="next"))
    comes(build(2, Outcome.FAILURE, pipeline=web, branch="next", trigger="schedule"))
    comes(build(3, Outcome.FAILURE, pipeline=web, branch="next", trigger="push"))
    database.transact(lambda session: standing.close_orphans(session, configuration, minutes(62)))
    assert [alert.scope.branch for alert in firing(database)] == ["next"]


def test_a_missing_pipeline_whose_rule_is_switched_off_is_not_waited_for(
    database: Database, configuration: Configuration, tmp_path: Path
) -> None:
    first_contact(database, configuration, "web/a")
    taken_in(database, configuration, now=minutes(60), page={"missing": ["web/a"]})
    assert [alert.kind for alert in firing(database)] == [AlertKind.PIPELINE_MISSING]
    off = loaded(tmp_path / "off.yaml", CONFIG + "alerts: {pipeline_missing: off}\n")
    database.transact(lambda session: standing.close_orphans(session, off, minutes(62)))
    assert firing(database) == []


def test_what_waits_for_a_channel_that_is_gone_is_given_up(
    database: Database, configuration: Configuration, tmp_path: Path
) -> None:
    first_contact(database, configuration, "web/a", "lib/c")
    database.transact(lambda session: standing.tell_baseline(session, configuration, minutes(61)))
    gone = loaded(
        tmp_path / "gone.yaml", CONFIG.replace("  desk: {kind: lamp}\n", "").replace("to: [desk]", "to: [wall]")
    )
    database.transact(lambda session: standing.clear_away(session, gone, minutes(62)))
    counts = database.read(outbox.counts)
    assert (counts["desk"].dead, counts["desk"].pending, counts["wall"].pending) == (1, 0, 1)


def test_the_health_of_a_removed_provider_is_forgotten(database: Database, configuration: Configuration) -> None:
    for name in ("ci", "old"):
        facts = ProviderHealth(name=name, failing_since=NOON, failures=3, trouble="timeout")
        database.transact(lambda session, facts=facts: stored_providers.save(session, facts))  # type: ignore[misc]
    database.transact(lambda session: standing.clear_away(session, configuration, minutes(62)))
    assert [each.name for each in database.read(stored_providers.all)] == ["ci"]


def test_a_file_that_stays_broken_is_told_once_and_so_is_its_cure(
    database: Database, configuration: Configuration
) -> None:
    broken = Broken(text='config.yaml:3:5: unknown key "evry"', since=NOON)

    def judge(broken: Broken | None, after: timedelta) -> frozenset[str]:
        return database.transact(
            lambda session: standing.judge_configuration(session, broken, configuration, NOON + after)
        )

    assert judge(broken, timedelta(seconds=1)) == frozenset(), "somebody may be editing it"
    assert judge(broken, standing.SETTLING) == {"desk"}
    assert judge(broken, timedelta(minutes=5)) == frozenset()
    (alert,) = firing(database)
    assert (alert.kind, alert.scope) == (AlertKind.CONFIGURATION_BROKEN, Scope(provider="buildwatch"))
    database.transact(lambda session: standing.close_orphans(session, configuration, minutes(6)))
    assert firing(database)
    assert judge(None, timedelta(minutes=7)) == {"desk"}
    assert judge(None, timedelta(minutes=8)) == frozenset()
    assert [headline[0] for *_, headline in said(database)] == ["🟠", "🟢"]
    first = database.read(outbox.listing)[-1].message
    assert first.details == broken.text


def test_a_removed_channel_is_not_written_to(database: Database, configuration: Configuration, tmp_path: Path) -> None:
    first_contact(database, configuration, "web/a")
    database.transact(lambda session: standing.tell_baseline(session, configuration, minutes(61)))
    gone = loaded(
        tmp_path / "gone.yaml", CONFIG.replace("  desk: {kind: lamp}\n", "").replace("to: [desk]", "to: [wall]")
    )
    page = Page(builds=[build(2, pipeline=pipeline("web/a"))])
    told = database.transact(
        lambda session: ingest(session, page, provider="ci", target="jobs", configuration=gone, now=minutes(70))
    ).told
    assert told == frozenset()
    assert [alert.state for alert in firing(database)] != [AlertState.RESOLVED]
