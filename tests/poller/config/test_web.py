"""`web:` of config.yaml."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from poller.config import Configuration
from poller.config.changes import diff
from poller.config.schemas import schema
from tests.support.configurations import WORKING, errors, loaded
from web.settings import Scope, Settings

TOKEN = "0123456789abcdef"
LOCKED = f"auth: {{tokens: [{{name: ci, token: {TOKEN}}}]}}"


def with_web(folder: Path, web: str, **how: Any) -> Configuration:
    """A working configuration with these lines under `web:`."""
    return loaded(folder / "config.yaml", f"{WORKING}web: {{{web}}}\n", **how)


def settings(folder: Path, web: str, **how: Any) -> Settings:
    """What they come to."""
    found = with_web(folder, web, **how).web
    assert found is not None
    return found


def test_without_the_key_there_is_no_server(tmp_path: Path) -> None:
    assert loaded(tmp_path / "config.yaml", WORKING).web is None
    assert loaded(tmp_path / "config.yaml", WORKING + "web:\n").web is None


def test_with_nothing_in_it_this_machine_alone_is_served(tmp_path: Path) -> None:
    found = settings(tmp_path, "")
    assert (found.host, found.port, found.access, found.simulate) == ("127.0.0.1", 8080, None, False)


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [
        ("127.0.0.1:9000", "127.0.0.1", 9000),
        ("localhost:0", "localhost", 0),
        ("9000", "127.0.0.1", 9000),
        ("'[::1]:9000'", "::1", 9000),
    ],
)
def test_an_address_is_read_as_it_is_usually_written(tmp_path: Path, listen: str, host: str, port: int) -> None:
    found = settings(tmp_path, f"listen: {listen}")
    assert (found.host, found.port) == (host, port)


@pytest.mark.parametrize("listen", ["0.0.0.0:80", "':80'", "builds.example.com:80", "'[::]:80'", "192.0.2.1:80"])
def test_an_address_for_others_needs_somebody_who_may_come_in(tmp_path: Path, listen: str) -> None:
    found = errors(lambda: with_web(tmp_path, f"listen: {listen}"))
    assert len(found) == 1
    assert found[0].startswith("config.yaml:8:15: listen: other machines reach ")
    assert "add `auth:` with tokens or users, or listen on 127.0.0.1" in found[0]
    assert settings(tmp_path, f"listen: {listen}, {LOCKED}").access is not None


@pytest.mark.parametrize(
    ("web", "expected"),
    [
        ("listen: x", 'listen: must be an address and a port, like "127.0.0.1:8080"'),
        ("listen: '127.0.0.1:99999'", "listen: must be an address and a port"),
        ("listen: true", "listen: must be an address and a port"),
        ("listn: 8080", 'unknown key "listn", did you mean "listen"?'),
        ("auth: {}", "nobody could get in: give tokens, users or proxy_header"),
        ("auth: {tokens: [{name: ci}]}", 'key "token" is missing'),
        ("auth: {tokens: [{name: ci, token: ''}]}", "token: must not be empty"),
        ("auth: {tokens: [{name: ci, token: x, scop: read}]}", 'unknown key "scop", did you mean "scope"?'),
        ("auth: {tokens: [{name: ci, token: x, scope: write}]}", 'scope: must be "read", "ingest" or "admin"'),
        (
            "auth: {tokens: [{name: a, token: x}], users: [{name: a, password: y}]}",
            'is called "a" like one before it: give it another name',
        ),
        ("auth: {proxy_header: 'a b'}", "proxy_header: must be the name of a header"),
        ("auth: {proxy_header: X-User, proxies: [10.0.0.0/99]}", '"10.0.0.0/99" is no address or network'),
        ("cors: ['*']", '"*" is no origin: write https://board.example.com'),
        ("cors: [https://a.example/b]", '"https://a.example/b" is no origin'),
        ("url: builds.example.com", "url: must be a complete URL"),
        ("log_url: https://logs.example.com/", "log_url: must hold {id}"),
        ("requests_per_second: 0", "requests_per_second: must be more than 0"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_place(tmp_path: Path, web: str, expected: str) -> None:
    found = errors(lambda: with_web(tmp_path, web))
    assert len(found) == 1
    assert expected in found[0]
    assert found[0].startswith("config.yaml:8:")


def test_everything_can_be_said(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        "auth: {proxy_header: X-User, proxies: [10.0.0.0/8], proxy_scope: read,"
        " users: [{name: ada, password: correct horse, scope: ingest}]},"
        " cors: https://board.example.com, url: https://builds.example.com/, requests_per_second: off,"
        " simulate: true, github_secret: '0123456789', log_url: 'https://logs.example.com/{id}'",
    )
    access = found.access
    assert access is not None
    assert (access.proxy_header, access.proxies, access.proxy_scope) == (
        "X-User",
        (ip_network("10.0.0.0/8"),),
        Scope.READ,
    )
    assert [(user.name, user.scope) for user in access.users] == [("ada", Scope.INGEST)]
    assert (found.cors, found.url, found.requests_per_second, found.simulate) == (
        ("https://board.example.com",),
        "https://builds.example.com",
        None,
        True,
    )


def test_secrets_come_from_everywhere_and_are_never_shown(tmp_path: Path) -> None:
    for name in ("token", "password", "github"):
        (tmp_path / name).write_text(f"canary-{name}-0123456789\n")
    configuration = with_web(
        tmp_path,
        "github_secret_file: github, auth: {tokens: [{name: ci, token_file: token}, {name: b, token: '${VARIABLE}'}],"
        " users: [{name: ada, password_file: password}]}",
        environ={"VARIABLE": "canary-variable-0123456789"},
    )
    access = configuration.web and configuration.web.access
    assert access is not None
    assert [each.token.get_secret_value()[:12] for each in access.tokens] == ["canary-token", "canary-varia"]
    assert configuration.secrets >= {
        f"canary-{name}-0123456789" for name in ("token", "password", "github", "variable")
    }
    assert "canary" not in repr(configuration)
    assert tmp_path / "token" in configuration.files


def test_a_secret_file_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    found = errors(lambda: with_web(tmp_path, "auth: {tokens: [{name: ci, token_file: nowhere}]}"))
    assert len(found) == 1
    assert "token_file: file " in found[0]


def test_what_is_weak_is_a_warning(tmp_path: Path) -> None:
    configuration = with_web(
        tmp_path,
        "listen: '0.0.0.0:80', simulate: true, auth: {tokens: [{name: ci, token: x}], users: [{name: a, password: y}]}",
    )
    told = " | ".join(str(warning) for warning in configuration.warnings)
    assert "simulate: made-up builds" in told
    assert "token: shorter than 16" in told
    assert "password: shorter than 8" in told


def test_a_change_of_the_server_is_a_change(tmp_path: Path) -> None:
    old, same, new = with_web(tmp_path, ""), with_web(tmp_path, ""), with_web(tmp_path, "simulate: true")
    assert not diff(old, same)
    assert diff(old, new).web


def test_another_token_in_the_same_file_is_another_configuration(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    web = "auth: {tokens: [{name: ci, token_file: token}]}"
    old = with_web(tmp_path, web)
    (tmp_path / "token").write_text(TOKEN + "x")
    assert with_web(tmp_path, web).loaded != old.loaded


def test_the_schema_knows_secret_files_of_entries() -> None:
    definitions = schema()["$defs"]
    assert "token_file" in definitions["TokenEntry"]["properties"]
    assert "token" not in definitions["TokenEntry"]["required"]
    assert "github_secret_file" in definitions["WebEntry"]["properties"]
