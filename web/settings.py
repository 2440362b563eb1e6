"""`web:` of config.yaml as values. Imports nothing heavy: the configuration is read by commands that serve nothing."""

from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from zoneinfo import ZoneInfo

from pydantic import SecretStr

Network = IPv4Network | IPv6Network

THIS_MACHINE = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class Scope(StrEnum):
    """What a caller may do; each includes the ones before it."""

    READ = "read"
    INGEST = "ingest"
    ADMIN = "admin"  # acknowledge, silence, simulate

    def includes(self, other: "Scope") -> bool:
        """Whether this is as much as the other, or more."""
        scopes = list(Scope)
        return scopes.index(self) >= scopes.index(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A machine that may call."""

    name: str
    token: SecretStr
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who may log in."""

    name: str
    password: SecretStr
    scope: Scope = Scope.ADMIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may do what. None of this: everybody who reaches the (loopback) address may do everything."""

    tokens: tuple[Token, ...] = ()
    users: tuple[User, ...] = ()
    proxy_header: str | None = None  # a trusted proxy names the person in it
    proxies: tuple[Network, ...] = ()  # from where that header and X-Forwarded-* are believed
    proxy_scope: Scope = Scope.ADMIN  # of the people it names

    @property
    def known(self) -> "tuple[User | Token, ...]":
        """Everybody who can show something that only they know."""
        return (*self.users, *self.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`web:` of config.yaml, and what else of it the pages need."""

    host: str
    port: int
    zone: ZoneInfo
    day_starts_at: time
    access: Access | None = None
    simulate: bool = False
    cors: tuple[str, ...] = ()  # origins
    github_secret: SecretStr | None = None  # of GitHub's webhooks
    url: str | None = None  # its address for people, when a proxy stands before it
    requests_per_second: float | None = 50  # of a caller, lasting; None: any number
    log_url: str | None = None  # where the log of a pushed build is: {id} is replaced


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    address = address_of(host)
    return host == "localhost" if address is None else any(address in network for network in THIS_MACHINE)


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """The address of digits that a text is."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
