"""Who changed what since a build that passed, as the change logs of the builds in between tell it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain.build import Build
from domain.details import Changes, Commit
from domain.text import TITLE_LIMIT, clean, clean_url
from providers._jenkins.asking import Asker, Unread

MOST_COMMITS: Final = 50
NEWEST: Final = 100  # Jenkins lists no more builds than these
_ITEMS_ASKED: Final = 200  # of one build
_MARGIN: Final = 10  # builds that may have begun since
_CAP: Final = 8 << 20

_SETS: Final = f"items[commitId,id,msg,timestamp,author[id,fullName],authorEmail]{{0,{_ITEMS_ASKED}}}"
CHANGE_FIELDS: Final = f"changeSet[{_SETS}],changeSets[{_SETS}]"
_REVISIONS: Final = "actions[lastBuiltRevision[SHA1],remoteUrls]"
_BOT: Final = re.compile(
    r"\[bot\]|\bbot\b|[-_]bot\b|^(?:dependabot|renovate|greenkeeper|snyk|mergify|github-actions|jenkins|gitlab-ci)\b",
    re.IGNORECASE,
)
_HOSTED: Final = re.compile(r"(?:https?://(?:[^@/]+@)?|(?:ssh://)?git@)([\w.-]+)(?::\d+)?[:/](.+?)(?:\.git)?/?")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A commit in the change log of one build."""

    build: int
    at: int  # milliseconds, 0: not told
    commit: Commit
    foreign: bool  # of a shared library rather than of what is built


def read_changes(
    job: Asker, build: Build, since: Build | None, own: Mapping[str, Any]
) -> tuple[Changes | None, str | None]:
    """What came in after `since` up to this build, newest first, and a note when some of it is not known.

    Args:
        job: About its job.
        build: The one that failed.
        since: The newest before it that passed; None, or one of another numbering: the build's own changes only.
        own: What Jenkins says about the build, with `CHANGE_FIELDS`, its number and its revisions.
    """
    remotes = _remotes_of(own.get("actions") or (), build.commit)
    first = since.number + 1 if since is not None and _before(since, build) else build.number
    raws, note = [own], None
    if first < build.number:
        try:
            listed = _range(job, first, build.number)
        except Unread as unread:
            note = f"only those of this build: {unread}"
        else:
            raws = [own, *(raw for raw in listed if first <= raw["number"] < build.number)]
            if len(listed) >= NEWEST and (oldest := min(_numbers(listed))) > first:
                note = f"only those since #{min(oldest, build.number)}: Jenkins lists the newest {NEWEST} builds"
    known = since is not None and first <= build.number and _before(since, build)
    changes = _told(raws, remotes)
    if not changes and not known:
        return None, note
    url = _compare_url(remotes, since, build) if known else None
    commits = tuple(change.commit for change in changes[:MOST_COMMITS])
    return Changes(commits=commits, total=len(changes), url=url), note


def _before(since: Build, build: Build) -> bool:
    return since.number < build.number and since.generation == build.generation


def _range(job: Asker, first: int, last: int) -> list[Mapping[str, Any]]:
    """What Jenkins lists of the builds from `first` to `last`, with newer ones; asks again when these are many."""
    count = min(last - first + 1 + _MARGIN, NEWEST)
    raws = _listed(job, count)
    if count < NEWEST and len(raws) == count and min(_numbers(raws)) > first:
        raws = _listed(job, NEWEST)
    return raws


def _listed(job: Asker, count: int) -> list[Mapping[str, Any]]:
    listed = job.tree(f"builds[number,{_REVISIONS},{CHANGE_FIELDS}]{{0,{count}}}", cap=_CAP).get("builds") or ()
    return [each for each in listed if isinstance(each, dict) and type(each.get("number")) is int]


def _numbers(raws: Iterable[Mapping[str, Any]]) -> list[int]:
    return [raw["number"] for raw in raws if type(raw.get("number")) is int]


def _told(raws: Iterable[Mapping[str, Any]], remotes: Sequence[str]) -> list[_Change]:
    """Each commit once, where it came in; those of shared libraries last."""
    found: dict[str, _Change] = {}
    for raw in raws:
        for change in _changes_of(raw, remotes):
            known = found.get(change.commit.id)
            if known is None or change.build < known.build:
                found[change.commit.id] = change
    return sorted(found.values(), key=lambda each: (each.foreign, -each.build, -each.at))


def _changes_of(raw: Mapping[str, Any], remotes: Sequence[str]) -> Iterator[_Change]:
    foreign = {
        action["lastBuiltRevision"].get("SHA1")
        for action in raw.get("actions") or ()
        if action
        and action.get("lastBuiltRevision")
        and remotes
        and not set(action.get("remoteUrls") or ()) & set(remotes)
    }
    for change_set in (*(raw.get("changeSets") or ()), raw.get("changeSet")):
        items = [each for each in (change_set or {}).get("items") or () if isinstance(each, dict)]
        is_foreign = any(each.get("commitId") in foreign for each in items)
        for item in items:
            commit = _commit(item, () if is_foreign else remotes)
            if commit is not None:
                at = item.get("timestamp")
                yield _Change(
                    build=raw.get("number") or 0, at=at if type(at) is int else 0, commit=commit, foreign=is_foreign
                )


def _commit(item: Mapping[str, Any], remotes: Sequence[str]) -> Commit | None:
    number = item.get("commitId") or item.get("id") or item.get("revision")
    if not number:
        return None
    author = item.get("author") or {}
    name, login = author.get("fullName"), author.get("id")
    who = [str(each) for each in (name, login, item.get("authorEmail")) if each]
    title = str(item.get("msg") or "").strip()
    return Commit(
        id=clean(str(number)),
        title=clean(title.splitlines()[0], TITLE_LIMIT) if title else "",
        author=clean(str(name)) if name else None,
        login=clean(str(login)) if login and login != "unknown" else None,
        is_bot=any(_BOT.search(each) for each in who),
        url=_commit_url(remotes, str(number)),
    )


def _remotes_of(actions: Iterable[Any], commit: str | None) -> tuple[str, ...]:
    """The remotes of the repository that a build is about: of the checkout of its commit."""
    for action in actions:
        revision = action.get("lastBuiltRevision") if action else None
        if revision and revision.get("SHA1") == commit:
            return tuple(str(url) for url in action.get("remoteUrls") or ())
    return ()


def _web(remotes: Sequence[str]) -> tuple[str, str] | None:
    """The page of the repository and the kind of its host, where addresses of commits are known."""
    for remote in remotes:
        parts = _HOSTED.fullmatch(remote)
        kind = next((kind for kind in ("github", "gitlab") if parts and kind in parts[1].lower()), None)
        if parts and kind:
            return f"https://{parts[1]}/{parts[2]}", kind
    return None


def _commit_url(remotes: Sequence[str], commit: str) -> str | None:
    web = _web(remotes)
    if web is None or not re.fullmatch(r"[0-9a-f]{7,64}", commit):
        return None
    return clean_url(f"{web[0]}{'/-' if web[1] == 'gitlab' else ''}/commit/{commit}")


def _compare_url(remotes: Sequence[str], since: Build | None, build: Build) -> str | None:
    web = _web(remotes)
    if web is None or since is None or not since.commit or not build.commit:
        return None
    return clean_url(f"{web[0]}{'/-' if web[1] == 'gitlab' else ''}/compare/{since.commit}...{build.commit}")
