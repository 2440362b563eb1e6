"""What the credentials can see: repositories, workflows, and the connection itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from domain.text import clean
from providers._base import Probe, Refused
from providers._github.client import Client, Reply
from providers._http import Answer

_SOON = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """What a list of repositories tells about each."""

    name: str  # owner/name
    branch: str | None
    pushed_at: str | None


def repositories_of(client: Client, owner: str, *, as_app: bool) -> list[Repository]:
    """All repositories of an organisation or a user that are not archived or disabled, last pushed first."""
    if as_app:
        found = _repositories(client.pages("/installation/repositories"), "repositories")
        return [each for each in found if each.name.partition("/")[0].casefold() == owner.casefold()]
    query = {"sort": "pushed"}
    pages = client.pages(f"/orgs/{owner}/repos", query, may_be_gone=True)
    first = next(pages)
    if not first.found:  # not an organisation: a person
        return list(_repositories(client.pages(f"/users/{owner}/repos", query)))
    return [*_repositories(iter([first])), *_repositories(pages)]


def all_repositories(client: Client, *, as_app: bool) -> Iterator[Repository]:
    """Everything that the token or the App may see."""
    if as_app:
        return _repositories(client.pages("/installation/repositories"), "repositories")
    return _repositories(client.pages("/user/repos", {"sort": "pushed"}))


def workflows_of(client: Client, repository: str) -> Iterator[dict[str, Any]]:
    """The active workflows of a repository, as GitHub's JSON has them."""
    for reply in client.pages(f"/repos/{repository}/actions/workflows", may_be_gone=True):
        for workflow in _items(reply, "workflows"):
            if workflow.get("state") == "active" and isinstance(workflow.get("path"), str):
                yield workflow


def _repositories(pages: Iterator[Reply], key: str | None = None) -> Iterator[Repository]:
    for reply in pages:
        for item in _items(reply, key):
            name = item.get("full_name")
            if isinstance(name, str) and not item.get("archived") and not item.get("disabled"):
                yield Repository(name=name, branch=item.get("default_branch"), pushed_at=item.get("pushed_at"))


def _items(reply: Reply, key: str | None) -> list[dict[str, Any]]:
    if not reply.found:
        return []
    body = reply.json()
    found = body.get(key) if key and isinstance(body, dict) else body
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def probe(client: Client, *, identity: str | None, warnings: Sequence[str], now: datetime) -> Probe:
    """What the server says about the connection, at the price of no rate-limit point.

    Args:
        client: The way to GitHub.
        identity: Who we are, where it is known already.
        warnings: What is known already.
        now: By our clock, aware UTC.
    """
    reply = client.get("/rate_limit", may_be_gone=True)  # 404: a server without limits
    answer, told = reply.answer, list(warnings)
    core = _core(reply)
    expires = _expiry(answer)
    if expires is not None and expires - now < _SOON:
        told.append(f"the token expires on {expires:%Y-%m-%d}")
    resets = core.get("reset")
    return Probe(
        version=answer.headers.get("X-GitHub-Enterprise-Version"),
        identity=identity,
        scopes=answer.headers.get("X-OAuth-Scopes"),
        token_expires_at=expires,
        clock_skew=_skew(answer, now),
        quota_limit=core.get("limit"),
        quota_remaining=core.get("remaining"),
        quota_resets_at=datetime.fromtimestamp(resets, UTC) if isinstance(resets, int) else None,
        warnings=tuple(told),
    )


def login(client: Client) -> str | None:
    """Whose token it is; None when the token belongs to no person (GitHub's own in a workflow)."""
    try:
        found = client.get("/user").json()
    except Refused:
        return None
    name = found.get("login") if isinstance(found, dict) else None
    return clean(name) if isinstance(name, str) else None


def _core(reply: Reply) -> dict[str, Any]:
    body = reply.json() if reply.found else {}
    resources = body.get("resources") if isinstance(body, dict) else None
    core = resources.get("core") if isinstance(resources, dict) else None
    return core if isinstance(core, dict) else {}


def _expiry(answer: Answer) -> datetime | None:
    """`2026-12-31 23:59:59 UTC` or with an offset, in a header that only expiring tokens get."""
    text = answer.headers.get("GitHub-Authentication-Token-Expiration", "").replace(" UTC", "+00:00")
    try:
        found = datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-"))
    except ValueError:
        return None
    return found.astimezone(UTC)


def _skew(answer: Answer, now: datetime) -> timedelta | None:
    try:
        theirs = parsedate_to_datetime(answer.headers["Date"])
    except (KeyError, ValueError):
        return None
    return theirs - now if theirs.tzinfo else None
