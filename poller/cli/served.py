"""What `check`, `doctor` and `status` say of the web: where it is, whether it answers, and who may come in."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from alerts.wording import plural
from web.settings import Settings

if TYPE_CHECKING:
    from poller.cli.findings import Finding
    from poller.config import Configuration
    from store.engine import Database

PATIENCE = 3.0  # seconds
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """How the web is at the moment."""

    url: str | None  # None: the system chose the port, and no daemon has said which
    answers: bool
    trouble: str | None  # why it does not answer
    auth: str


def access_in_words(settings: Settings) -> str:
    """Who may come in: `for 2 tokens and 1 user`."""
    access = settings.access
    if access is None:
        return "no auth: everybody on this machine may do everything"
    parts = [plural(len(access.tokens), "token")] * bool(access.tokens)
    parts += [plural(len(access.users), "user")] * bool(access.users)
    parts += [f"whom a proxy names in {access.proxy_header}"] * (access.proxy_header is not None)
    return f"auth: {', '.join(parts)}"


def url_of(settings: Settings, note: Mapping[str, Any] | None = None) -> str | None:
    """Where this machine finds it: as config.yaml says, or where the daemon says that the system has put it."""
    if settings.port == 0:
        return note.get("url") if note else None
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def served(settings: Settings, note: Mapping[str, Any] | None) -> Served:
    """Ask it. `note` is what the daemon that runs has written down of it."""
    url = url_of(settings, note)
    trouble = _trouble(url) if url is not None else "it is not known where it listens"
    if trouble is not None and note is not None and note.get("trouble"):
        trouble = str(note["trouble"])  # what it says itself explains more
    return Served(url=url, answers=trouble is None, trouble=trouble, auth=access_in_words(settings))


def note_of(database: "Database") -> Mapping[str, Any] | None:
    """What the daemon says of its web server; None while none runs."""
    from poller.record import WEB
    from store import lock, notes

    if lock.holder(database) is None:
        return None
    note = database.read(lambda session: notes.get(session, WEB))
    return note.value if note is not None and isinstance(note.value, dict) else {}


def of_web(configuration: "Configuration", database: "Database", now: datetime) -> "Iterator[Finding]":
    """What `doctor` finds: no answer is wrong while a daemon runs that should give it."""
    from poller.cli.findings import State, found

    del now
    if configuration.web is None:
        yield found("web", State.NOTE, "not served: config.yaml has no `web:`")
        return
    note = note_of(database)
    seen = served(configuration.web, note)
    where = seen.url or "any port"
    if seen.answers:
        yield found("web", State.OK, f"{where} answers; {seen.auth}")
    elif note is None:
        yield found("web", State.NOTE, f"{where}: {seen.trouble}; no daemon is running; {seen.auth}")
    else:
        yield found("web", State.WRONG, f"{where}: {seen.trouble}; {seen.auth}")


def _trouble(url: str) -> str | None:
    """Why it does not answer; None when it does."""
    try:
        with _DIRECTLY.open(f"{url}/health", timeout=PATIENCE) as answer:
            body = json.loads(answer.read(10_000))
    except urllib.error.HTTPError as error:
        return f"it answers {error.code} {error.reason}"
    except (OSError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", error)
        return f"no answer: {getattr(reason, 'strerror', None) or reason}"
    except ValueError:
        return "another program answers there"
    return None if isinstance(body, dict) and body.get("ok") is True else "another program answers there"
