from collections.abc import Callable, Mapping
from datetime import time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.policies.routing import Match, Route
from alerts.rules import DEFAULT_RULES, Expectation, FailureRule, RateBelowRule, RateDropRule, Rules, UnreachableRule
from domain.build import Pipeline
from poller.config import Configuration, ConfigurationError, load
from poller.config.problems import Problem
from tests.support.configurations import WORKING, errors

Loading = Callable[..., Configuration]
Wrong = Callable[..., list[str]]

FROM_THE_CONTRACT = r"""# from the design page config.md
# yaml-language-server: $schema=https://…            (the schema is printed by `buildwatch schema`)
timezone: Asia/Kolkata            # for daily windows, quiet hours, digests; default UTC
day_starts_at: "10:00"            # a reporting day runs 10:00 → 10:00; default 00:00

store:
  url: sqlite:///buildwatch.db    # relative to $STATE_DIRECTORY under systemd; postgresql+psycopg://… when shared
  keep: {builds: 400d, logs: 30d}

providers:                        # name: settings
  nsp:
    kind: jenkins
    url: https://jenkins.example.com/ci
    username: bot
    token: ${JENKINS_TOKEN}       # ${ENV}, ${file:/run/secrets/x}, ${credential:name}; never printed
    poll_every: 60s               # provider default, an entry of pipelines may override it
  github:
    kind: github                  # api_url: for GitHub Enterprise Server
    token: ${GITHUB_TOKEN}        # or app_id + private_key + installation_id

pipelines:                        # adding a pipeline is adding one entry here
  - provider: nsp
    job: regression/nightly       # full name; * within a folder, ** across folders; multibranch children are branches
    labels: {release: "25.3", module: core}
    labels_from:                  # dimensions read off each build
      cloud: parameters.CLOUD
      scheduler: {job_name: "(?P<value>SCHEDULER\\d+)"}
  - provider: github
    repo: acme/web                # acme/* = every repository of the organisation
    workflow: ci.yml              # default: all workflows
    branches: [main, "release/*"] # default: the default branch
    expect: {cron: "0 2 * * *", grace: 2h}

channels:
  ci-slack:
    kind: slack
    webhook_url: ${SLACK_WEBHOOK_URL}     # or token: ${SLACK_BOT_TOKEN} + channel: "#ci"
  mail:
    kind: smtp
    host: smtp.example.com
    port: 587                     # starttls: true is the default except on 465 (tls: true); false must be said
    username: ci
    password: ${SMTP_PASSWORD}
    from: CI <ci@example.com>
    to: [team@example.com]

alerts:                           # defaults shown in alerts.md; an entry of pipelines may carry its own `alerts:`
  failure: {after: 1}
  success_rate_drop: {sensitivity: medium}

routes:
  - match: {labels: {team: payments}}
    to: [mail]
    continue: true
  - to: [ci-slack]

web: {listen: 127.0.0.1:8080}     # leave out for no web server
"""
SECRETS = {
    "JENKINS_TOKEN": "jenkins-0123456789",
    "GITHUB_TOKEN": "ghp_0123456789",
    "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T000/B000/0123456789",
    "SMTP_PASSWORD": "mail-0123456789",
}


def test_the_example_of_the_contract_loads_without_a_warning(file: Path) -> None:
    file.write_text(FROM_THE_CONTRACT)
    file.chmod(0o600)
    configuration = load(file, environ=SECRETS)
    assert configuration.timezone == ZoneInfo("Asia/Kolkata")
    assert configuration.day_starts_at == time(10)
    assert list(configuration.providers) == ["nsp", "github", "push"]
    assert configuration.implied == {"push"}
    assert configuration.pipelines[0].labels == {"release": "25.3", "module": "core"}
    assert configuration.routes == (
        Route(match=Match(labels={"team": "payments"}), to=("mail",), then_continue=True),
        Route(to=("ci-slack",)),
    )
    assert configuration.rules == DEFAULT_RULES
    due = Expectation(cron="0 2 * * *", zone=ZoneInfo("Asia/Kolkata"), grace=timedelta(hours=2))
    assert [configuration.rules_of(entry).stale for entry in configuration.pipelines[:2]] == [None, due]
    assert configuration.secrets >= set(SECRETS.values())
    assert configuration.web is not None
    assert (configuration.web.host, configuration.web.port) == ("127.0.0.1", 8080)
    assert configuration.warnings == ()


def test_the_contract_s_example_names_every_secret_that_is_missing(file: Path) -> None:
    file.write_text(FROM_THE_CONTRACT)
    found = errors(lambda: load(file, environ={}))
    assert len(found) == 4
    for name, line in {"JENKINS_TOKEN": 15, "GITHUB_TOKEN": 19, "SLACK_WEBHOOK_URL": 37, "SMTP_PASSWORD": 43}.items():
        assert any(f"config.yaml:{line}:" in one and f"environment variable {name} is not set" in one for one in found)


def test_defaults_fill_what_is_left_out(loading: Loading, file: Path) -> None:
    configuration = loading(WORKING)
    assert configuration.timezone == ZoneInfo("UTC")
    assert configuration.day_starts_at == time(0)
    assert configuration.store.url.get_secret_value() == f"sqlite:///{file.parent}/buildwatch.db"
    assert (configuration.store.keep.builds, configuration.store.keep.logs) == (timedelta(400), timedelta(30))
    assert configuration.rules == DEFAULT_RULES
    assert configuration.routes == (Route(to=("desk",)),)
    assert (configuration.log.level, configuration.log.format) == ("info", "auto")
    assert configuration.files == (file,)
    assert configuration.warnings == ()


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file(wrong: Wrong) -> None:
    assert wrong(
        """\
timezone: Asia/Kolkatta
providers:
  ci: {kind: faek}
  there: {kind: fake, tokn: x, poll_every: soon}
pipelines:
  - provider: three
    job: x
  - provider: there
    job: y
    evry: 5m
    depth: deep
  - provider: there
channels:
  desk: {kind: lamp, to: 7}
routes:
  - to: [desc]
store: {keep: {builds: 7}, url: "mysql://h/x"}
wbe: {}
"""
    ) == [
        'config.yaml:1:11: timezone: unknown time zone "Asia/Kolkatta", did you mean "Asia/Kolkata"?',
        'config.yaml:3:14: unknown kind "faek", did you mean "fake"?',
        'config.yaml:4:23: unknown key "tokn", did you mean "token"?',
        "config.yaml:4:44: poll_every: 'soon' is not a duration: write a number and a unit, like 90s, 15m, 24h or 7d",
        'config.yaml:6:15: unknown provider "three", did you mean "there"?',
        'config.yaml:10:5: unknown key "evry", did you mean "poll_every"?',
        'config.yaml:11:12: depth: must be a whole number or "all"',
        'config.yaml:12:5: key "job" is missing',
        "config.yaml:14:26: to: must be a list",
        'config.yaml:16:10: unknown channel "desc", did you mean "desk"?',
        "config.yaml:17:24: builds: write a unit: 7d are days, 7h are hours",
        "config.yaml:17:33: url: must be sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE",
        'config.yaml:18:1: unknown key "wbe", did you mean "web"?',
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("providers: 5", "1:12: providers: must be a mapping of keys"),
        ("providers: {ci: 5}", "1:17: ci: must be a mapping of keys"),
        ("providers: {ci: {}}", '1:13: key "kind" is missing: one of broken, fake, other'),
        ("providers: {ci: {kind: 5}}", "1:24: kind: must be one of broken, fake, other"),
        ("channels: {ci: {kind: [x]}}", "1:17: kind: must be one of lamp"),
        ("providers: {'': {kind: fake}}", "1:13: a name must not be empty or hold control characters"),
        ("pipelines: {a: b}", "1:1: pipelines: must be a list, not a mapping"),
        ("pipelines: [5]", "1:13: pipelines[0]: must be a mapping of keys"),
        ("pipelines: [{job: x}]", '1:13: key "provider" is missing (and there are no providers)'),
        ("pipelines: [{provider: [x]}]", "1:14: provider: must be the name of a provider"),
        ("day_starts_at: 25:00", '1:16: day_starts_at: must be a time of day, like "10:00"'),
        ("day_starts_at: 10", '1:16: day_starts_at: must be a time of day, like "10:00"'),
        ("timezone: 5", "1:11: timezone: must be the name of a time zone"),
        ("timezone: ../../etc/passwd", "1:11: timezone: unknown time zone"),
        ("log: {level: loud}", '1:14: level: must be "debug", "info", "warning" or "error"'),
        ("log: {level: inof}", 'did you mean "info"?'),
        ("routes: [{to: [1]}]", "1:16: to[0]: must be text: put the number in quotes"),
        ("routes: [{too: x}]", '1:10: key "to" is missing'),
        ("routes: [{to: [], match: {pipelin: x}}]", 'unknown key "pipelin", did you mean "pipeline"?'),
        ("routes: [{to: [], match: {branch: '[z-a]'}}]", '1:35: branch: "[z-a]" is not a pattern'),
        ("routes: [{to: [], match: {kind: failur}}]", 'unknown kind of alert "failur", did you mean "failure"?'),
        ("routes: [{to: [], match: {severity: bad}}]", '1:37: severity: must be "critical", "warning" or "info"'),
        ("routes: [{to: x}]", 'unknown channel "x" (there are no channels)'),
        ("alerts: {failure: {after: 0}}", '1:27: after: must be at least 1 or "auto"'),
        ("alerts: {failure: {remind: 5}}", "1:28: remind: must be a list"),
        ("alerts: {success_rate_below: {window: 24h}}", 'success_rate_below needs "percent"'),
        ("alerts: {success_rate_below: {percent: 80, window: x}}", "1:52: window: 'x' is not a window"),
        ("alerts: {success_rate_below: {percent: eighty}}", "1:40: percent: must be a number"),
        ("store: {url: 'sqlite://'}", "1:14: url: a SQLite store needs a file"),
        ("store: {url: 'sqlite:///:memory:'}", "1:14: url: a SQLite store needs a file"),
        ("store: {url: 'sqlit:///x'}", 'did you mean "sqlite"?'),
        ("web: 8080", "1:6: web: must be a mapping of keys"),
        ("defaults: {lables: {}}", '1:12: unknown key "lables", did you mean "labels"?'),
        (
            "providers: {x: {kind: broken}}",
            'kind "broken" cannot be used: importing tests.no_such_package.broken failed',
        ),
    ],
)
def test_an_error_names_place_thing_and_cure(line: str, expected: str, wrong: Wrong) -> None:
    found = wrong(line)
    assert any(expected in one for one in found), found


def test_a_section_with_everything_commented_out_is_as_if_it_were_not_there(loading: Loading) -> None:
    assert loading(WORKING + "routes:\nalerts:\nstore:\ndefaults:\ninclude:\n").routes == (Route(to=("desk",)),)


def test_a_missing_file_is_a_problem_with_a_place(tmp_path: Path) -> None:
    (found,) = errors(lambda: load(tmp_path / "none.yaml", environ={}))
    assert found == f"none.yaml:1:1: {tmp_path}/none.yaml cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("sqlite:///a/b.db", "sqlite:////state/a/b.db"),
        ("sqlite:////srv/b.db?timeout=5", "sqlite:////srv/b.db?timeout=5"),
        ("postgres://u:p@h/db", "postgresql+psycopg://u:p@h/db"),
        ("postgresql://h/db?sslmode=require", "postgresql+psycopg://h/db?sslmode=require"),
        ("postgresql+psycopg://h/db", "postgresql+psycopg://h/db"),
    ],
)
def test_the_store_s_url_is_resolved(url: str, resolved: str, loading: Loading) -> None:
    configuration = loading(f"{WORKING}store: {{url: '{url}'}}", state_directory=Path("/state"))
    assert configuration.store.url.get_secret_value() == resolved
    assert "p@h" not in repr(configuration)


def test_the_password_of_the_store_is_a_secret(loading: Loading) -> None:
    configuration = loading(f"{WORKING}store: {{url: 'postgresql://u:pass%40word@h/db'}}")
    assert {"pass%40word", "pass@word"} <= configuration.secrets


RULES: Mapping[str, Any] = {
    "failure: off": Rules(failure=None),
    "failure: false": Rules(failure=None),
    "failure: on": Rules(),
    "failure:": Rules(),
    "failure: {after: auto, resolve_after: 2}": Rules(failure=FailureRule(after="auto", resolve_after=2)),
    "success_rate_drop: {sensitivity: high}": Rules(success_rate_drop=RateDropRule(sensitivity="high")),
    "success_rate_below: {percent: 80}": Rules(
        success_rate_below=RateBelowRule(percent=80, window=timedelta(hours=24))
    ),
    "success_rate_below: {percent: 80, window: 20 builds}": Rules(
        success_rate_below=RateBelowRule(percent=80, window=20)
    ),
    "success_rate_below: {percent: 80, window: daily, confidence: 0.9}": Rules(
        success_rate_below=RateBelowRule(percent=80, window="daily", confidence=0.9)
    ),
    "provider_unreachable: {after: 5, lasting: 1h}": Rules(
        provider_unreachable=UnreachableRule(after=5, lasting=timedelta(hours=1))
    ),
    "pipeline_missing: off": Rules(pipeline_missing=False),
}


@pytest.mark.parametrize("line", RULES)
def test_alerts_become_rules(line: str, loading: Loading) -> None:
    assert loading(f"{WORKING}alerts:\n  {line}\n").rules == RULES[line]


def test_the_rules_of_an_entry_are_merged_over_those_for_all(loading: Loading) -> None:
    configuration = loading(
        """\
providers: {ci: {kind: fake}}
defaults: {alerts: {success_rate_drop: off}}
pipelines:
  - {provider: ci, job: a, alerts: {failure: {after: 3}, success_rate_below: {min_runs: 4}}}
  - {provider: ci, job: b, unstable: passed, alerts: {failure: off}}
  - {provider: ci, job: c}
channels: {desk: {kind: lamp}}
alerts: {failure: {resolve_after: 2}, success_rate_below: {percent: 80}}
"""
    )
    first, second, third = (configuration.rules_of(entry) for entry in configuration.pipelines)
    assert first.failure == FailureRule(after=3, resolve_after=2)
    assert first.success_rate_below == RateBelowRule(percent=80, window=timedelta(hours=24), min_runs=4)
    assert first.success_rate_drop is None
    assert second.failure is None
    assert third.failure == FailureRule(resolve_after=2)
    assert configuration.rules_of(None) == configuration.rules
    assert [configuration.unstable_passes(entry) for entry in configuration.pipelines] == [False, True, False]


def test_an_entry_that_watches_a_rate_without_a_line_is_refused(wrong: Wrong) -> None:
    text = WORKING.replace("job: nightly", "job: nightly\n    alerts: {success_rate_below: on}")
    assert wrong(text) == [
        'config.yaml:6:34: success_rate_below needs "percent", the success rate to stay above',
    ]


def test_a_pipeline_belongs_to_the_first_enabled_entry_that_matches(loading: Loading) -> None:
    configuration = loading(
        """\
providers: {ci: {kind: fake}, two: {kind: fake}}
pipelines:
  - {provider: ci, job: a/b, enabled: false}
  - {provider: two, job: "**"}
  - {provider: ci, job: a/*}
  - {provider: ci, job: "**"}
channels: {desk: {kind: lamp}}
"""
    )
    entries = configuration.pipelines
    assert configuration.entry_of(Pipeline(provider="ci", key="a/b", name="b")) is entries[2]
    assert configuration.entry_of(Pipeline(provider="ci", key="c", name="c")) is entries[3]
    assert configuration.entry_of(Pipeline(provider="gone", key="c", name="c")) is None
    assert configuration.entries_of("ci") == entries[2:]


def test_defaults_are_merged_into_every_entry_that_can_have_them(loading: Loading) -> None:
    configuration = loading(
        """\
providers: {ci: {kind: fake}, gh: {kind: other}}
defaults: {labels: {team: web, tier: one}, depth: 3, workflow: ci.yml}
pipelines:
  - {provider: ci, job: a, labels: {tier: two}}
  - {provider: gh, repo: b}
channels: {desk: {kind: lamp}}
"""
    )
    first, second = configuration.pipelines
    assert first.labels == {"team": "web", "tier": "two"}
    assert first.model_dump()["depth"] == 3
    assert second.model_dump()["workflow"] == "ci.yml"


def test_an_error_in_defaults_is_told_once_and_there(wrong: Wrong) -> None:
    text = "providers: {ci: {kind: fake}}\ndefaults: {labels: {team: 5}}\npipelines:\n"
    text += "".join(f"  - {{provider: ci, job: j{number}, labels: {{a: b}}}}\n" for number in range(3))
    assert wrong(text) == ["config.yaml:2:27: team: must be text: put the number in quotes"]


def test_anchors_and_merge_keys_serve_repetition(loading: Loading) -> None:
    configuration = loading(
        """\
providers: {ci: {kind: fake}}
pipelines:
  - &nightly {provider: ci, job: a, labels: {team: web}}
  - {<<: *nightly, job: b}
channels: {desk: {kind: lamp}}
"""
    )
    assert [(entry.model_dump()["job"], entry.labels["team"]) for entry in configuration.pipelines] == [
        ("a", "web"),
        ("b", "web"),
    ]


def test_equal_meaning_has_an_equal_hash_and_another_secret_another_one(loading: Loading) -> None:
    text = WORKING.replace("{kind: fake}", "{kind: fake, token: '${T}'}")
    first = loading(text, {"T": "first-secret"})
    assert loading("# a comment\n" + text, {"T": "first-secret"}).loaded == first.loaded
    assert loading(text, {"T": "second-secret"}).loaded != first.loaded
    assert "first-secret" not in repr(first)


def test_a_problem_knows_its_path_for_programs(file: Path) -> None:
    problem = Problem(file=file, line=3, column=5, path="pipelines[0].job", message="m")
    assert str(problem) == "config.yaml:3:5: m"


def test_a_value_of_the_wrong_type_is_told_with_the_cure(wrong: Wrong) -> None:
    assert wrong("providers: {ci: {kind: fake, verify: maybe, url: 5, token: [x]}}") == [
        "config.yaml:1:38: verify: must be true or false",
        "config.yaml:1:50: url: must be text: put the number in quotes",
        "config.yaml:1:53: token: must be text, not a list",
    ]


def test_pipelines_of_an_unusable_provider_are_not_complained_about_twice(wrong: Wrong) -> None:
    found = wrong("providers: {ci: {kind: broken}, at: {}}\npipelines: [{provider: ci}, {provider: at}]\n")
    assert [one.split(": ")[0] for one in found] == ["config.yaml:1:24", "config.yaml:1:33"]


def test_a_long_list_of_known_keys_is_cut(wrong: Wrong) -> None:
    (found,) = wrong("zzzzzzzz: 1")
    assert found.endswith(", ...")


def test_a_file_that_is_too_large_is_not_read_to_its_end(file: Path) -> None:
    file.write_bytes(b"# " + b"x" * (17 * 1024 * 1024))
    assert errors(lambda: load(file, environ={})) == ["config.yaml:1:1: larger than 16 MiB"]


def test_an_error_tells_which_files_were_read(file: Path) -> None:
    file.write_text("providers: {gh: {kind: github, token_file: secret}}")
    with pytest.raises(ConfigurationError) as error:
        load(file, environ={})
    assert error.value.files == (file, file.parent / "secret")
