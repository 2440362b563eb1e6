"""`web:` of config.yaml: where the web server listens, and whom it lets do what."""

import re
from collections.abc import Iterator
from datetime import time
from ipaddress import ip_network
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema

from poller.config.entries import Checking
from poller.config.problems import KeyPath
from poller.config.sections import Names, Part
from web.settings import THIS_MACHINE, Access, Network, Scope, Settings, Token, User, is_loopback

_LISTEN = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]\s/]*):)?(?P<port>\d{1,5})")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_PORTS = 65_535
_SHORT_TOKEN = 16  # characters
_SHORT_PASSWORD = 8
DEFAULT_HOST = "127.0.0.1"


class Listen(NamedTuple):
    """An address to listen on."""

    host: str
    port: int  # 0: any that is free


def listen_from(value: object) -> Listen:
    """The address that somebody wrote. Raises ValueError."""
    if isinstance(value, Listen):
        return value
    given = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    parts = _LISTEN.fullmatch(given.strip()) if isinstance(given, str) else None
    if parts is None or int(parts["port"]) > _PORTS:
        raise ValueError('must be an address and a port, like "127.0.0.1:8080"')
    host = parts["host"]
    return Listen(DEFAULT_HOST if host is None else host.strip("[]") or "0.0.0.0", int(parts["port"]))  # noqa: S104


def _checked_origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc or value != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(f'"{value}" is no origin: write https://board.example.com')
    return value


def _checked_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a complete URL that begins with https:// (or http://)")
    return value.rstrip("/")


def _checked_log_url(value: str) -> str:
    if "{id}" not in _checked_url(value):
        raise ValueError("must hold {id}, which the id of a build replaces: https://logs.example.com/{id}")
    return value


def _checked_header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise ValueError("must be the name of a header, like X-Forwarded-User")
    return value


def _as_network(value: object) -> object:
    try:
        return ip_network(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f'"{value}" is no address or network, like 10.0.0.0/8') from error


def _not_empty(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise ValueError("must not be empty")
    return value


def _as_rate(value: object) -> object:
    return None if value is False or value == "off" else value


Name = Annotated[str, Field(min_length=1, max_length=100)]
Secret = Annotated[SecretStr, AfterValidator(_not_empty)]
Proxy = Annotated[Network, BeforeValidator(_as_network), WithJsonSchema({"type": "string"})]
Rate = Annotated[Annotated[float, Field(gt=0)] | None, BeforeValidator(_as_rate)]


class Caller(Part):
    """Somebody with a name."""

    name: Name = Field(description="Shown in the log.")


class TokenEntry(Caller):
    """A machine that may call."""

    token: Secret = Field(description="Sent as `Authorization: Bearer TOKEN`.")
    scope: Scope = Field(default=Scope.READ, description="read; ingest: also push builds; admin: everything.")


class UserEntry(Caller):
    """A person who may log in."""

    password: Secret
    scope: Scope = Field(default=Scope.ADMIN, description="As for tokens.")


class Auth(Part):
    """Who may do what."""

    tokens: tuple[TokenEntry, ...] = Field(default=(), description="Machines.")
    users: tuple[UserEntry, ...] = Field(default=(), description="People, who log in.")
    proxy_header: Annotated[str, AfterValidator(_checked_header)] | None = Field(
        default=None, description="A proxy that people pass names them in this header: X-Forwarded-User."
    )
    proxies: tuple[Proxy, ...] | None = Field(
        default=None,
        description="Proxies that are believed, also what they say in X-Forwarded-For, -Host and -Proto. "
        "Default: this machine where there is a proxy_header, else none.",
    )
    proxy_scope: Scope = Field(default=Scope.ADMIN, description="What the people it names may do.")


class WebEntry(Part):
    """The web server: dashboard, API, ingest."""

    listen: Annotated[
        Listen, BeforeValidator(listen_from), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]})
    ] = Field(default=Listen(DEFAULT_HOST, 8080), description="Another address than this machine's needs `auth`.")
    auth: Auth | None = Field(default=None, description="Left out: who reaches the address may do everything.")
    url: Annotated[str, AfterValidator(_checked_url)] | None = Field(
        default=None, description="Its address for people, where a proxy stands before it."
    )
    cors: Annotated[Names, AfterValidator(lambda names: tuple(map(_checked_origin, names)))] = Field(
        default=(), description="Origins whose pages may ask the API."
    )
    github_secret: Secret | None = Field(
        default=None, description="Of GitHub's webhooks: they are signed, and need no token. Left out: they need one."
    )
    simulate: bool = Field(default=False, description="POST /api/simulate makes builds up: for demonstrations.")
    log_url: Annotated[str, AfterValidator(_checked_log_url)] | None = Field(
        default=None, description="Where the log of a pushed build is; {id} is replaced."
    )
    requests_per_second: Rate = Field(default=50, description="Of one caller, lasting; off: any number.")


def web_from(entry: WebEntry, zone: ZoneInfo, day_starts_at: time) -> Settings:
    """The settings of the web server."""
    return Settings(
        host=entry.listen.host,
        port=entry.listen.port,
        zone=zone,
        day_starts_at=day_starts_at,
        access=_access(entry.auth),
        simulate=entry.simulate,
        cors=entry.cors,
        github_secret=entry.github_secret,
        url=entry.url,
        requests_per_second=entry.requests_per_second,
        log_url=entry.log_url,
    )


def _proxies(auth: Auth) -> tuple[Network, ...]:
    if auth.proxies is None:
        return THIS_MACHINE if auth.proxy_header is not None else ()
    return auth.proxies


def _access(auth: Auth | None) -> Access | None:
    if auth is None:
        return None
    return Access(
        tokens=tuple(Token(name=each.name, token=each.token, scope=each.scope) for each in auth.tokens),
        users=tuple(User(name=each.name, password=each.password, scope=each.scope) for each in auth.users),
        proxy_header=auth.proxy_header,
        proxies=_proxies(auth),
        proxy_scope=auth.proxy_scope,
    )


def read_web_secrets(checking: Checking, source: dict[str, Any]) -> None:
    """Read `token_file`, `password_file` and `github_secret_file` wherever they stand in `web:`."""
    web = source.get("web")
    if not isinstance(web, dict):
        return
    checking.read_secret_files(WebEntry, web, ("web",))
    auth = web.get("auth")
    if not isinstance(auth, dict):
        return
    models: tuple[tuple[str, type[Part]], ...] = (("tokens", TokenEntry), ("users", UserEntry))
    for key, model in models:
        entries = auth.get(key)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict):
                checking.read_secret_files(model, entry, ("web", "auth", key, index))


def check_web(entry: WebEntry | None, checking: Checking) -> None:
    """Refuse what would let anybody in; warn of what would let many in."""
    if entry is None:
        return
    host, auth = entry.listen.host, entry.auth
    is_open = not is_loopback(host)
    if auth is not None and not (auth.tokens or auth.users or auth.proxy_header):
        checking.refuse(("web", "auth"), "nobody could get in: give tokens, users or proxy_header")
    if is_open and auth is None:
        text = f"listen: other machines reach {host}: add `auth:` with tokens or users, or listen on {DEFAULT_HOST}"
        checking.refuse(("web", "listen"), text)
    if is_open and entry.simulate:
        checking.warn(("web", "simulate"), "simulate: made-up builds will stand among the real ones")
    if auth is not None:
        _check_callers(auth, checking)


def _check_callers(auth: Auth, checking: Checking) -> None:
    for path, name in _twice(auth):
        checking.refuse(path, f'is called "{name}" like one before it: give it another name')
    for index, token in enumerate(auth.tokens):
        if len(token.token.get_secret_value()) < _SHORT_TOKEN:
            text = f"token: shorter than {_SHORT_TOKEN} characters: `openssl rand -hex 24` makes one"
            checking.warn(("web", "auth", "tokens", index, "token"), text)
    for index, user in enumerate(auth.users):
        if len(user.password.get_secret_value()) < _SHORT_PASSWORD:
            text = f"password: shorter than {_SHORT_PASSWORD} characters"
            checking.warn(("web", "auth", "users", index, "password"), text)


def _twice(auth: Auth) -> Iterator[tuple[KeyPath, str]]:
    seen: set[str] = set()
    callers: dict[str, tuple[Caller, ...]] = {"tokens": auth.tokens, "users": auth.users}
    for key, entries in callers.items():
        for index, entry in enumerate(entries):
            if entry.name in seen:
                yield ("web", "auth", key, index), entry.name
            seen.add(entry.name)
