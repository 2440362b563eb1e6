from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from poller.config import Configuration
from tests.support.configurations import WORKING

Loading = Callable[..., Configuration]
Wrong = Callable[..., list[str]]

WITH_TOKEN = WORKING.replace("{kind: fake}", "{kind: fake, token: '${TOKEN}'}")


def token(configuration: Configuration) -> str:
    return str(configuration.providers["ci"].token.get_secret_value())  # type: ignore[attr-defined]


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    (tmp_path / "credentials").mkdir()
    return tmp_path / "credentials"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("${TOKEN}", "from-env"),
        ("Bearer ${TOKEN}!", "Bearer from-env!"),
        ("${NONE:-fallback}", "fallback"),
        ("${TOKEN:-fallback}", "from-env"),
        ("${NONE:-}x", "x"),
        ("$$5 and $${TOKEN}", "$5 and ${TOKEN}"),
        ("costs $5 $", "costs $5 $"),
        ("${BRACES}", "{a: [b]} ${TOKEN}"),
    ],
)
def test_references_are_resolved_in_values_after_parsing(written: str, expected: str, loading: Loading) -> None:
    text = WORKING.replace("{kind: fake}", f"{{kind: fake, token: '{written}'}}")
    assert token(loading(text, {"TOKEN": "from-env", "BRACES": "{a: [b]} ${TOKEN}"})) == expected


def test_a_secret_comes_from_a_file_without_its_last_line_break(tmp_path: Path, loading: Loading) -> None:
    secret = tmp_path / "token"
    secret.write_text("from-file\n")
    for written in (f"token: '${{file:{secret}}}'", "token: '${file:token}'", f"token_file: {secret}"):
        configuration = loading(WORKING.replace("{kind: fake}", f"{{kind: fake, {written}}}"))
        assert token(configuration) == "from-file"
        assert secret in configuration.files
        assert "from-file" in configuration.secrets


def test_the_store_s_url_may_come_from_a_file(tmp_path: Path, loading: Loading) -> None:
    (tmp_path / "url").write_text("postgresql://u:secret-word@h/db\n")
    configuration = loading(f"{WORKING}store: {{url_file: url}}")
    assert configuration.store.url.get_secret_value() == "postgresql+psycopg://u:secret-word@h/db"
    assert "secret-word" in configuration.secrets


def test_a_secret_comes_from_a_credential_of_systemd(credentials: Path, loading: Loading) -> None:
    (credentials / "ci-token").write_text("from-credential\n")
    text = WORKING.replace("{kind: fake}", "{kind: fake, token: '${credential:ci-token}'}")
    assert token(loading(text, credentials_directory=credentials)) == "from-credential"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("token: '${TOKEN}'", "token: environment variable TOKEN is not set (${TOKEN:-default} gives a default)"),
        ("token: '${EMPTY}'", "token: environment variable EMPTY is empty (${EMPTY:-default} gives a default)"),
        ("token: '${file:/no/such}'", "token: file /no/such cannot be read: No such file or directory"),
        ("token_file: /no/such", "token_file: file /no/such cannot be read: No such file or directory"),
        ("token: '${credential:x}'", 'token: credential "x": $CREDENTIALS_DIRECTORY is not set'),
        ("token: '${credential:../x}'", 'token: credential "../x" is not a plain name'),
        ("token: '${TOKEN'", "token: ${ is not closed with }"),
        ("token: '${a b}'", "token: ${a b} is no reference"),
        ("token: x, token_file: y", 'give either "token" or "token_file", not both'),
        ("token_file: [x]", "token_file: must be the path of a file"),
        ("token_file: empty", "is empty"),
        ("token_file: binary", "cannot be read: not UTF-8 text"),
        ("token_file: large", "is larger than 64 KiB"),
    ],
)
def test_a_missing_secret_names_key_source_and_line(written: str, expected: str, tmp_path: Path, wrong: Wrong) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_text("x" * 70_000)
    (found,) = wrong(WORKING.replace("{kind: fake}", f"{{kind: fake, {written}}}"), {"EMPTY": ""})
    assert found.startswith("config.yaml:2:")
    assert expected in found


def test_a_missing_credential_names_its_path(credentials: Path, wrong: Wrong) -> None:
    text = WORKING.replace("{kind: fake}", "{kind: fake, token: '${credential:x}'}")
    (found,) = wrong(text, credentials_directory=credentials)
    assert f'token: credential "x" ({credentials}/x) cannot be read: No such file' in found


def test_the_environment_wins_over_credentials_and_credentials_over_the_file(
    credentials: Path, loading: Loading
) -> None:
    text = WORKING.replace("{kind: fake}", "{kind: fake, token: of-the-file}")
    name = "BUILDWATCH_PROVIDERS__CI__TOKEN"
    assert token(loading(text, credentials_directory=credentials)) == "of-the-file"
    (credentials / name.lower()).write_text("of-a-credential\n")
    assert token(loading(text, credentials_directory=credentials)) == "of-a-credential"
    assert token(loading(text, {name: "$of-${env}"}, credentials_directory=credentials)) == "$of-${env}"


def test_an_override_spares_the_reference_and_the_file_it_replaces(loading: Loading) -> None:
    over = {"buildwatch_providers__ci__token": "over"}
    assert token(loading(WITH_TOKEN, over)) == "over"
    assert token(loading(WITH_TOKEN.replace("token: '${TOKEN}'", "token_file: /no/such"), over)) == "over"


@pytest.mark.parametrize(
    ("environ", "read"),
    [
        ({"BUILDWATCH_TIMEZONE": "Asia/Tokyo"}, lambda one: one.timezone.key == "Asia/Tokyo"),
        ({"BUILDWATCH_STORE__KEEP__LOGS": "5d"}, lambda one: one.store.keep.logs == timedelta(5)),
        ({"BUILDWATCH_CHANNELS__DESK__TO": '["a", "b"]'}, lambda one: one.channels["desk"].to == ("a", "b")),
        ({"BUILDWATCH_STORE": '{"keep": {"logs": "2d"}}'}, lambda one: one.store.keep.logs == timedelta(2)),
        ({"BUILDWATCH_PIPELINES__0__LABELS": '{"a": "b"}'}, lambda one: one.pipelines[0].labels == {"a": "b"}),
        ({"BUILDWATCH_CHANNELS__DESK__PASSWORD": "[no json"}, lambda one: "[no json" in one.secrets),
        ({"BUILDWATCH_PIPELINES__0__JOB": "weekly"}, lambda one: one.pipelines[0].job == "weekly"),
        ({"BUILDWATCH_PIPELINES__0__LABELS__TEAM": "web"}, lambda one: one.pipelines[0].labels == {"team": "web"}),
        ({"BUILDWATCH_PIPELINES": "[]"}, lambda one: one.pipelines == ()),
        (
            {"BUILDWATCH_PIPELINES__1": '{"provider": "ci", "job": "x"}'},
            lambda one: [entry.job for entry in one.pipelines] == ["nightly", "x"],
        ),
        (
            {"BUILDWATCH_PIPELINES__1__PROVIDER": "ci", "BUILDWATCH_PIPELINES__1__JOB": "x"},
            lambda one: [entry.job for entry in one.pipelines] == ["nightly", "x"],
        ),
        ({"BUILDWATCH_PROVIDERS__NEW__KIND": "fake"}, lambda one: list(one.providers) == ["ci", "new"]),
        ({"BUILDWATCH_ALERTS__FAILURE": "off"}, lambda one: one.rules.failure is None),
        ({"BUILDWATCH_ALERTS__FAILURE__AFTER": "2"}, lambda one: one.rules.failure.after == 2),
        ({"BUILDWATCH_LOG__LEVEL": "debug"}, lambda one: one.log.level == "debug"),
        ({"BUILDWATCH_CONFIG": "x", "BUILDWATCH_FAILPOINTS": "y", "BUILDWATCH___": "z"}, lambda one: one is not None),
    ],
)
def test_every_key_can_be_overridden_by_environment(
    environ: dict[str, str], read: Callable[[Configuration], bool], loading: Loading
) -> None:
    assert read(loading(WORKING, environ))


def test_a_name_with_dashes_is_written_with_underscores(loading: Loading) -> None:
    text = WORKING.replace("desk:", "ci-slack.2:")
    configuration = loading(text, {"BUILDWATCH_CHANNELS__CI_SLACK_2__PASSWORD": "over-the-top"})
    assert configuration.channels["ci-slack.2"].password.get_secret_value() == "over-the-top"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PROVIDERS__CI__TOKN", "x", 'config.yaml:2:3: unknown key "tokn", did you mean "token"? (from environment'),
        ("LOG__LEVEL", "loud", 'level: must be "debug", "info", "warning" or "error" (from environment variable'),
        ("PIPELINES__7__JOB", "x", "there is no such item in the list (from environment variable"),
        ("PIPELINES__FIRST__JOB", "x", "there is no such item in the list (from environment variable"),
        ("PROVIDER__CI__TOKEN", "x", 'unknown key "provider", did you mean "providers"?'),
        ("PROVIDERS__CI__KIND__DEEPER", "x", "kind: must be one of broken, fake, other (from environment"),
        ("PIPELINES__0", "x", "pipelines[0]: must be a mapping of keys"),
        ("PIPELINES__0__LABELS__A__B", "x", "a: must be text (from environment"),
        ("LOG", "x", "log: must be a mapping of keys"),
        ("PROVIDERS__CI", "x", "ci: must be a mapping of keys"),
    ],
)
def test_a_wrong_override_names_its_variable(name: str, value: str, expected: str, wrong: Wrong) -> None:
    found = wrong(WORKING, {f"BUILDWATCH_{name}": value})
    assert any(expected in one for one in found), found


def test_no_error_shows_a_secret(tmp_path: Path, wrong: Wrong) -> None:
    (tmp_path / "url").write_text("canary-in-file")
    text = """\
providers:
  ci: {kind: fake, token: "${TOKEN}", poll_every: "${TOKEN}"}
pipelines: []
channels:
  desk: {kind: lamp, webhook_url: "https://x/canary-in-url", password: "${PASSWORD}"}
store: {url_file: url}
"""
    found = wrong(text, {"TOKEN": "canary-token", "PASSWORD": "canary-password"})
    assert len(found) == 3
    assert "canary" not in "".join(found)
    assert "config.yaml:5:3: either, not both: [hidden]" in found


def test_an_override_that_is_no_secret_is_not_hidden_in_logs(loading: Loading) -> None:
    over = {"BUILDWATCH_PIPELINES__0__JOB": "weekly-run", "BUILDWATCH_PROVIDERS__CI__TOKEN": "over-the-top"}
    assert loading(WORKING, over).secrets == {"over-the-top"}
