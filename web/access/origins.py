"""From where a request comes: which address it was sent to, which page sent it, who stands between."""

from ipaddress import IPv6Address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from web.settings import Settings, address_of, is_loopback


def is_own_host(connection: HTTPConnection, settings: Settings) -> bool:
    """Whether the request was meant for us, by its Host header.

    A foreign page can have its own name resolved to this machine, and then asks us with everything that an open
    address allows (DNS rebinding). It cannot do so with an address of digits, nor with a name that is ours.
    """
    if not _may_be_rebound(settings):
        return True
    host = _host_of(f"//{connection.headers.get('host', '')}")
    if host is None:
        return False
    own = {settings.host.lower(), _host_of(settings.url) if settings.url else None}
    return host in own or host == "localhost" or host.endswith(".localhost") or address_of(host) is not None


def _may_be_rebound(settings: Settings) -> bool:
    """Where credentials come by themselves from a browser on this machine; cookies belong to a name."""
    return settings.access is None or settings.access.proxy_header is not None or is_loopback(settings.host)


def is_same_origin(connection: HTTPConnection, settings: Settings) -> bool:
    """Whether the page that sends this is one of ours, or one that `web.cors` allows. Programs send no origin."""
    headers = connection.headers
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
    if origin in settings.cors:
        return True
    sender = _netloc_of(origin)
    own = {headers.get("host", "").lower(), _netloc_of(settings.url) if settings.url else None}
    if is_behind_proxy(connection, settings):
        own.add(headers.get("x-forwarded-host", "").lower())
    return bool(sender) and sender in own


def is_behind_proxy(connection: HTTPConnection, settings: Settings) -> bool:
    """Whether a proxy that is trusted passes this on."""
    access = settings.access
    if access is None or not access.proxies or connection.client is None:
        return False
    peer = address_of(connection.client.host)
    return peer is not None and any(peer in network for network in access.proxies)


def client_of(connection: HTTPConnection, settings: Settings) -> str:
    """The address that asks; behind a trusted proxy the one that the proxy saw."""
    if is_behind_proxy(connection, settings):
        seen = connection.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        if address_of(seen) is not None:
            return seen
    return connection.client.host if connection.client is not None else ""


def neighbourhood(client: str) -> str:
    """Who is counted as one: an address; of IPv6 the /64, of which one machine has every address it likes."""
    address = address_of(client)
    return f"{address.packed[:8].hex()}/64" if isinstance(address, IPv6Address) else client


def is_https(connection: HTTPConnection, settings: Settings) -> bool:
    """Whether people reach us over TLS: only then may a cookie say `Secure`."""
    if connection.url.scheme in {"https", "wss"} or (settings.url or "").startswith("https://"):
        return True
    return is_behind_proxy(connection, settings) and connection.headers.get("x-forwarded-proto") == "https"


def _host_of(url: str | None) -> str | None:
    try:
        return urlsplit(url or "").hostname
    except ValueError:
        return None


def _netloc_of(url: str | None) -> str:
    """The host with its port, which a browser leaves out when it is the usual one."""
    try:
        return urlsplit(url or "").netloc.lower()
    except ValueError:
        return ""
