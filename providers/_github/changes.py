"""What came into a repository between two builds."""

import re
from collections.abc import Mapping
from typing import Any, Final

from domain.build import Build
from domain.details import Changes, Commit
from domain.text import TITLE_LIMIT, clean, clean_url
from providers._base import Trouble, Unavailable
from providers._github.client import PAGE, Client, Reply

_SHA: Final = re.compile(r"[0-9a-fA-F]{7,64}")
GONE: Final = "the commit of the last build that passed is not there any more: only the newest one is known"


def changes_between(
    client: Client, repository: str, since: Build, build: Build, deadline: float
) -> tuple[Changes | None, str | None]:
    """The commits after `since` up to `build`, newest first, and a note when they are not all that was asked for.

    Of more than 100 commits the oldest 100 and the newest are read: at most 2 requests of up to 100 commits.

    Raises:
        Unavailable, Refused: As `Client.get`.
    """
    base, head = since.commit or "", build.commit or ""
    if not _SHA.fullmatch(base) or not _SHA.fullmatch(head):
        return None, "a build without a commit: GitHub cannot compare"
    if base == head:
        return Changes(commits=(), total=0), None
    path = f"/repos/{repository}/compare/{base}...{head}"
    reply = client.get(path, {"per_page": str(PAGE)}, may_be_gone=True, deadline=deadline)
    if not reply.found:
        return _newest(client, repository, head, deadline), GONE
    found = _object(reply)
    listed = _commits(found)
    total = found.get("total_commits")
    total = total if isinstance(total, int) else len(listed)
    if total > len(listed) and reply.next_query is not None:
        last = {"per_page": str(PAGE), "page": str(-(-total // PAGE))}
        listed += _commits(_object(client.get(path, last, deadline=deadline)))
    return Changes(commits=tuple(reversed(listed)), total=total, url=_url(found)), None


def _newest(client: Client, repository: str, head: str, deadline: float) -> Changes | None:
    reply = client.get(f"/repos/{repository}/commits/{head}", may_be_gone=True, deadline=deadline)
    found = _commit(reply.json()) if reply.found else None
    return None if found is None else Changes(commits=(found,), total=1)


def _object(reply: Reply) -> Mapping[str, Any]:
    body = reply.json()
    if not isinstance(body, Mapping):
        raise Unavailable(Trouble.NOT_JSON, "GitHub compared commits without an object")
    return body


def _commits(found: Mapping[str, Any]) -> list[Commit]:
    listed = found.get("commits")
    read = map(_commit, listed if isinstance(listed, list) else ())
    return [each for each in read if each is not None]


def _commit(found: object) -> Commit | None:
    """None when it is not a commit. Its author has a login only where GitHub knows the mail address."""
    if not isinstance(found, Mapping) or not isinstance(found.get("sha"), str):
        return None
    inner = _mapping(found.get("commit"))
    account = _mapping(found.get("author"))
    name, login = _word(_mapping(inner.get("author")).get("name")), _word(account.get("login"))
    message = inner.get("message")
    return Commit(
        id=clean(found["sha"]),
        title=clean(message.strip().partition("\n")[0], TITLE_LIMIT) if isinstance(message, str) else "",
        author=name,
        login=login,
        is_bot=account.get("type") == "Bot" or any(each.endswith("[bot]") for each in (login or "", name or "")),
        url=_url(found),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _word(value: object) -> str | None:
    return clean(value) if isinstance(value, str) and value else None


def _url(found: Mapping[str, Any]) -> str | None:
    url = found.get("html_url")
    return clean_url(url) if isinstance(url, str) else None
