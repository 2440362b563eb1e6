from collections.abc import Callable
from pathlib import Path

import pytest

from poller.config import Configuration, load
from tests.support.configurations import WORKING, fake_plugins

Loading = Callable[..., Configuration]
Wrong = Callable[..., list[str]]


def warned(configuration: Configuration) -> list[str]:
    return [str(warning) for warning in configuration.warnings]


def with_routes(routes: str, job: str = "nightly", entry: str = "") -> str:
    return WORKING.replace("job: nightly", f"job: {job}{entry}") + f"routes: {routes}\n"


CONDITIONAL = "some alerts of this pipeline would go nowhere: every route that matches it has further conditions"
IDLE = "config.yaml:8:22: can never match: routes[0] takes all that it would"
BEHIND = "config.yaml:8:45: can never match: routes[0] takes all that it would"
DEAF = 'config.yaml:2:3: nobody would hear that provider "ci" cannot be read: every route asks for a pipeline'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("providers: {ci: {kind: fake}}\n", ["config.yaml:1:1: nothing is watched: add an entry to `pipelines:`"]),
        (
            WORKING.replace("pipelines:", "  two: {kind: fake}\npipelines:"),
            ['config.yaml:3:3: provider "two" is used by no pipeline'],
        ),
        (
            WORKING + "  lamp: {kind: lamp}\nroutes: [{to: desk}]\n",
            ['config.yaml:8:3: channel "lamp" is used by no route'],
        ),
        (with_routes("[{match: {kind: failure}, to: desk}]"), [DEAF, f"config.yaml:4:5: {CONDITIONAL}"]),
        (with_routes("[{match: {pipeline: nightly}, to: desk}]"), [DEAF]),
        (with_routes("[{match: {pipeline: n*}, to: desk}]"), [DEAF]),
        (with_routes("[{match: {provider: ci}, to: desk}]"), []),
        (with_routes("[{match: {labels: {a: b}}, to: desk}]", entry="\n    labels: {a: b}"), [DEAF]),
        (with_routes("[{match: {labels: {a: b*}}, to: desk}]", entry="\n    labels: {a: c}"), [DEAF]),
        (
            with_routes("[{match: {provider: cii}, to: desk}, {to: desk}]"),
            ['config.yaml:8:29: unknown provider "cii", did you mean "ci"?'],
        ),
        (with_routes("[{match: {pipeline: n*}, to: desk}]") + "alerts: {provider_unreachable: off}\n", []),
        (
            WORKING.replace("channels:", "  - {provider: ci, job: nightly, name: again}\nchannels:"),
            ["config.yaml:6:5: chooses the same as pipelines[0]; the first entry counts"],
        ),
        (WORKING.replace("channels:", "  - {provider: ci, job: nightly, enabled: false}\nchannels:"), []),
        (
            WORKING + "alerts: {success_rate_below: {percent: 80, window: 30s}}\n",
            ["config.yaml:8:52: window: shorter than the time between two polls"],
        ),
        (
            WORKING.replace(
                "job: nightly",
                "job: nightly\n    alerts: {success_rate_below: {percent: 80, window: 5 builds}}",
            ),
            ["config.yaml:6:56: can never fire: 5 builds are fewer than min_runs: 10"],
        ),
        (
            WORKING.replace("{kind: fake}", "{kind: fake, verify: false}"),
            ["config.yaml:2:28: verify: certificates are not checked, anybody in between can read along: use ca_file"],
        ),
        (
            WORKING.replace("job: nightly", "job: nightly\n    expect: {every: 10s, grace: 20s}"),
            [
                "config.yaml:6:5: would fire between two polls: every + grace is shorter than the time between them",
            ],
        ),
        (
            WORKING.replace("job: nightly", "job: nightly\n    expect: 24h") + "alerts: {stale: off}\n",
            ["config.yaml:6:5: has no effect: the kind stale is switched off"],
        ),
        (
            WORKING + "alerts: {stuck: {running_longer_than: 5s}}\n",
            [
                (
                    "config.yaml:8:39: running_longer_than: shorter than the time between two polls, "
                    "such a build is rarely seen running"
                )
            ],
        ),
        (
            with_routes("[{match: {provider: ci}, to: desk}, {match: {provider: ci, kind: failure}, to: desk}]"),
            ["config.yaml:8:45: can never match: routes[0] takes all that it would"],
        ),
        (
            with_routes("[{match: {pipeline: n*}, to: desk}, {match: {pipeline: nightly}, to: desk}, {to: desk}]"),
            ["config.yaml:8:45: can never match: routes[0] takes all that it would"],
        ),
        (
            with_routes("[{match: {pipeline: n*, labels: {a: b}}, to: desk}, {match: {pipeline: n*}, to: desk}]"),
            [DEAF],
        ),
        (with_routes("[{to: desk}, {match: {pipeline: nightly}, to: desk}]"), [IDLE]),
        (with_routes("[{to: desk, continue: true}, {match: {pipeline: nightly}, to: desk}]"), []),
        (with_routes("[{match: {branch: '**'}, to: desk}, {match: {branch: 'r*'}, to: desk}, {to: desk}]"), [BEHIND]),
        (
            with_routes("[{match: {pipeline: nigthly}, to: desk}, {to: desk}]"),
            ['config.yaml:8:29: pipeline: no entry of `pipelines:` watches "nigthly"'],
        ),
        (
            WORKING + 'quiet_hours: [{from: "07:00", to: "22:00"}, {from: "22:00", to: "07:00"}]\n',
            ["config.yaml:8:1: never end: every message would wait for a week"],
        ),
        (WORKING + 'quiet_hours: [{days: mon-sat, from: "00:00", to: "24:00"}]\n', []),
        (WORKING + 'quiet_hours: [{from: "00:00", to: "24:00", match: {severity: info}}]\n', []),
        (
            WORKING + "heartbeat_url: http://hc.example.com/${T:-x}\n",
            ["config.yaml:8:16: heartbeat_url: who reads along could send its calls in our place: use https"],
        ),
    ],
)
def test_what_is_valid_but_silly_is_a_warning(text: str, expected: list[str], loading: Loading) -> None:
    assert warned(loading(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (with_routes("[]"), "config.yaml:4:5: nobody would hear of this pipeline: no route matches it"),
        (with_routes("[{to: []}]"), "no route matches it"),
        (with_routes("[{match: {provider: other}, to: desk}]"), "no route matches it"),
        (with_routes("[{match: {pipeline: weekly}, to: desk}]"), "no route matches it"),
        (with_routes("[{match: {labels: {a: b}}, to: desk}]", entry="\n    labels: {a: c}"), "no route matches it"),
        (
            WORKING.split("channels:", maxsplit=1)[0],
            "config.yaml:3:1: nobody would hear of these pipelines: add a channel under `channels:`",
        ),
    ],
)
def test_a_pipeline_of_which_nobody_would_hear_is_an_error(text: str, expected: str, wrong: Wrong) -> None:
    (found,) = wrong(text)
    assert expected in found


def test_a_disabled_pipeline_needs_no_route(loading: Loading) -> None:
    text = with_routes("[]", entry="\n    enabled: false")
    assert warned(loading(text)) == ['config.yaml:8:3: channel "desk" is used by no route']


def test_keys_about_what_builds_leave_behind_have_effect(loading: Loading) -> None:
    keys = "parsers: {junit: r.xml}\n    require: {artifact: r.xml}\n    measurements: {artifact: m.json}"
    text = WORKING.replace("job: nightly", f"job: nightly\n    {keys}") + "details: off\nsuspects: list\n"
    assert warned(loading(text)) == []


@pytest.mark.parametrize(
    ("url", "token", "warns"),
    [
        ("http://ci.example.com", "x-token", True),
        ("http://ci.example.com", "", False),
        ("https://ci.example.com", "x-token", False),
        ("http://127.0.0.1:8080/ci", "x-token", False),
        ("http://[::1]:8080", "x-token", False),
        ("http://localhost", "x-token", False),
        ("http://ci.localhost", "x-token", False),
        ("http://[::1", "x-token", True),
    ],
)
def test_a_secret_over_http_to_another_host_is_a_warning(
    url: str, token: str, *, warns: bool, loading: Loading
) -> None:
    text = WORKING.replace("{kind: fake}", f"{{kind: fake, url: '{url}', token: '${{T:-{token}}}'}}")
    expected = ["config.yaml:2:25: url: a secret travels over http to another host: use https"]
    assert warned(loading(text)) == (expected if warns else [])


def test_a_webhook_over_http_is_a_warning_at_its_place(loading: Loading) -> None:
    text = WORKING.replace("{kind: lamp}", "{kind: lamp, webhook_url: 'http://hooks.example.com/x'}")
    assert warned(loading(text)) == [
        "config.yaml:7:35: webhook_url: a secret travels over http to another host: use https",
    ]


@pytest.mark.parametrize(
    ("mode", "written", "warns"),
    [
        (0o644, "x-token", True),
        (0o640, "x-token", False),
        (0o644, "${T}", False),
    ],
)
def test_a_secret_in_a_file_that_everybody_can_read_is_a_warning(
    mode: int, written: str, *, warns: bool, file: Path
) -> None:
    file.write_text(WORKING.replace("{kind: fake}", f"{{kind: fake, token: '{written}'}}"))
    file.chmod(mode)
    configuration = load(file, environ={"T": "x"}, plugins=fake_plugins())
    expected = (
        "config.yaml:2:27: token: a secret in a file that everybody on this host can read: "
        "chmod o-r config.yaml, or write ${NAME} or ${file:/path} instead"
    )
    assert warned(configuration) == ([expected] if warns else [])


def test_a_password_in_the_store_s_url_counts_as_a_secret_in_the_file(file: Path) -> None:
    file.write_text(WORKING + "store: {url: 'postgresql://u:password@h/db'}\n")
    file.chmod(0o644)
    (warning,) = load(file, environ={}, plugins=fake_plugins()).warnings
    assert warning.path == "store.url"


def test_an_override_is_not_a_secret_in_the_file(file: Path) -> None:
    file.write_text(WORKING.replace("{kind: fake}", "{kind: fake, token: old}"))
    file.chmod(0o644)
    over = {"BUILDWATCH_PROVIDERS__CI__TOKEN": "new-token"}
    assert load(file, environ=over, plugins=fake_plugins()).warnings == ()


def test_a_heartbeat_s_address_is_a_secret_in_the_file(file: Path) -> None:
    file.write_text(WORKING + "heartbeat_url: https://hc.example.com/x-secret\n")
    file.chmod(0o644)
    (warning,) = load(file, environ={}, plugins=fake_plugins()).warnings
    assert warning.path == "heartbeat_url"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alerts: {failure: {remind: [0s]}}", "must be more than 0"),
        ("group_wait: 2h", "must be at most 1 hour"),
    ],
)
def test_a_duration_that_does_not_do_is_told_as_people_write_them(text: str, expected: str, wrong: Wrong) -> None:
    (found,) = wrong(WORKING + text + "\n")
    assert found.endswith(expected)
