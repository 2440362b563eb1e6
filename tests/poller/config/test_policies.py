"""Quiet hours, escalations, digests, templates, expectations: what stands in the file and what comes of it."""

from collections.abc import Callable
from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts.policies.digest import Digest
from alerts.policies.escalation import Escalation
from alerts.policies.quiet import QuietHours
from alerts.policies.routing import Match
from alerts.rules import Expectation, FailureRule, FlappingRule, StuckRule
from poller.config import Configuration
from poller.config.changes import diff
from tests.support.configurations import WORKING

Loading = Callable[..., Configuration]
Wrong = Callable[[str], list[str]]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("[sat, Sunday]", {5, 6}),
        ("fri-mon", {4, 5, 6, 0}),
        ("weekdays", {0, 1, 2, 3, 4}),
        ("weekend", {5, 6}),
        ('"mon, wed"', {0, 2}),
        ("[tue-wed, fri]", {1, 2, 4}),
    ],
)
def test_days_are_written_as_people_write_them(days: str, expected: set[int], loading: Loading) -> None:
    (quiet,) = loading(f'{WORKING}quiet_hours: [{{days: {days}, from: "22:00", to: "7:00"}}]').quiet_hours
    assert quiet == QuietHours(days=frozenset(expected), start=time(22), end=time(7))


def test_policies_become_values(loading: Loading) -> None:
    configuration = loading(
        WORKING
        + """
group_wait: 1m
quiet_hours: [{from: "20:00", to: "24:00", match: {severity: warning}}]
escalate:
  - {after: 2h, to: desk, match: {kind: stale}}
  - {after: 1d, unless: null, to: [desk]}
digests:
  - {name: morning, cron: "0 10 * * mon-fri", to: desk}
  - {cron: "0 9 * * mon", window: 7d, to: [desk]}
heartbeat_url: https://hc.example.com/ping/0123
"""
    )
    assert configuration.group_wait == timedelta(minutes=1)
    assert configuration.quiet_hours == (
        QuietHours(days=frozenset(range(7)), start=time(20), end=time(0), match=Match(severity="warning")),
    )
    assert configuration.escalations == (
        Escalation(after=timedelta(hours=2), unless_acked=True, to=("desk",), match=Match(kind="stale")),
        Escalation(after=timedelta(days=1), unless_acked=False, to=("desk",)),
    )
    assert configuration.digests == (
        Digest(name="morning", cron="0 10 * * mon-fri", window="daily", to=("desk",)),
        Digest(name="0 9 * * mon 168h", cron="0 9 * * mon", window=timedelta(days=7), to=("desk",)),
    )
    assert "https://hc.example.com/ping/0123" in configuration.secrets


@pytest.mark.parametrize(
    ("expect", "expected"),
    [
        ("24h", Expectation(every=timedelta(hours=24))),
        ("auto", Expectation(auto=True)),
        ("{every: 12h, grace: 30m}", Expectation(every=timedelta(hours=12), grace=timedelta(minutes=30))),
        ('{cron: "0 2 * * *"}', Expectation(cron="0 2 * * *", zone=ZoneInfo("Asia/Kolkata"))),
        ('{cron: "0 2 * * *", zone: Europe/Berlin}', Expectation(cron="0 2 * * *", zone=ZoneInfo("Europe/Berlin"))),
        ("off", None),
        ("null", Expectation(every=timedelta(days=7))),
    ],
)
def test_when_a_build_is_due(expect: str, expected: Expectation | None, loading: Loading) -> None:
    text = WORKING.replace("job: nightly", f"job: nightly\n    expect: {expect}")
    configuration = loading(f"{text}timezone: Asia/Kolkata\nalerts: {{stale: {{every: 7d}}}}\n")
    assert configuration.rules_of(configuration.pipelines[0]).stale == (
        expected
        if expected is None or expected.cron
        else Expectation(**_given(expected), zone=ZoneInfo("Asia/Kolkata"))
    )


def _given(expectation: Expectation) -> dict[str, object]:
    return {name: getattr(expectation, name) for name in ("every", "auto", "grace")}


def test_the_rules_of_an_entry_are_merged_over_the_common_ones(loading: Loading) -> None:
    entry = "job: nightly\n    rerun: {wait: 10m}\n    alerts: {failure: {remind: off}, flapping: {within: 10}}"
    configuration = loading(WORKING.replace("job: nightly", entry) + "alerts: {stuck: {queued_longer_than: 1h}}\n")
    rules = configuration.rules_of(configuration.pipelines[0])
    assert rules.rerun_wait == timedelta(minutes=10)
    assert rules.failure == FailureRule(remind=())
    assert rules.flapping == FlappingRule(within=10)
    assert rules.stuck == StuckRule(queued_longer_than=timedelta(hours=1))
    assert configuration.rules_of(configuration.pipelines[0]) is rules


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('quiet_hours: [{from: "22:00"}]', 'key "to" is missing'),
        ('quiet_hours: [{from: "25:00", to: "7:00"}]', "8:22: from: must be a time of day"),
        ('quiet_hours: [{days: someday, from: "22:00", to: "7:00"}]', 'unknown day "someday"'),
        ('quiet_hours: [{days: [], from: "22:00", to: "7:00"}]', "days: must be days"),
        ("escalate: [{to: desk}]", 'key "after" is missing'),
        ("escalate: [{after: 2h, to: phone}]", '8:24: unknown channel "phone"'),
        ("escalate: [{after: 2h, unless: asleep, to: desk}]", 'unless: must be "acked"'),
        ('digests: [{cron: "0 25 * * *", to: desk}]', "8:18: cron: '0 25 * * *' is not a crontab line: bad hour"),
        ('digests: [{cron: "@daily", window: weekly, to: desk}]', "window:"),
        ('digests: [{cron: "@daily", to: dsk}]', 'unknown channel "dsk", did you mean "desk"?'),
        (
            'digests: [{cron: "@daily", to: desk}, {cron: "@daily", to: desk}]',
            'is called "@daily daily" like one before',
        ),
        ("heartbeat_url: ftp://hc.example.com", "heartbeat_url: must be a complete URL"),
        ("templates: {slak: card.j2}", 'unknown kind of channel "slak"'),
        ("templates: {lamp: card.j2}", "card.j2: No such file or directory"),
        ("alerts: {stale: {every: 1h, cron: '@daily'}}", 'needs exactly one of "every", "cron" and "auto"'),
        ("alerts: {stale: {every: 1h, zone: UTC}}", '"zone" goes with "cron"'),
        ("alerts: {flapping: {transitions: 20}}", "20 transitions cannot happen within 20 builds"),
        ("alerts: {flapping: {calm: 7}}", 'must be less than "transitions"'),
        ("alerts: {window_regression: {points: 101}}", "points: must be at most 100"),
        ("alerts: {failure: {remind: [soon]}}", "'soon' is not a duration"),
        ("alerts: {stal: off}", 'unknown key "stal", did you mean "stale"?'),
    ],
)
def test_what_cannot_be_is_refused_in_words(text: str, expected: str, wrong: Wrong) -> None:
    assert any(expected in each for each in wrong(f"{WORKING}{text}\n")), wrong(f"{WORKING}{text}\n")


def test_a_template_that_was_changed_makes_its_channels_anew(tmp_path: Path, loading: Loading) -> None:
    template = tmp_path / "lamp.j2"
    template.write_text("one")
    before = loading(f"{WORKING}templates: {{lamp: lamp.j2}}\n")
    assert before.templates["lamp"].text == "one"
    assert template in before.files
    assert not diff(before, loading(f"{WORKING}templates: {{lamp: lamp.j2}}\n"))
    template.write_text("two")
    after = loading(f"{WORKING}templates: {{lamp: lamp.j2}}\n")
    assert diff(before, after).channels.changed == ("desk",)
    assert after.loaded != before.loaded


def test_the_address_of_the_heartbeat_may_stand_in_a_file(tmp_path: Path, loading: Loading) -> None:
    (tmp_path / "url").write_text("https://hc.example.com/ping/0123\n")
    configuration = loading(f"{WORKING}heartbeat_url_file: {tmp_path / 'url'}\n")
    assert configuration.heartbeat_url is not None
    assert configuration.heartbeat_url.get_secret_value() == "https://hc.example.com/ping/0123"
