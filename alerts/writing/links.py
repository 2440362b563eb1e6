"""Where a message leads: the run, its log, what changed, the last good build."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from alerts.writing.case import Case
from domain.alert import AlertKind
from domain.build import Build
from domain.message import Link

_GITHUB_RUN = re.compile(r"(https?://[^/]+(?:/[^/]+)*?/[^/]+/[^/]+)/actions/runs/\d+")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


def links(case: Case) -> tuple[Link, ...]:
    """To the build, its log, the changes and the last good build while something is wrong; or else to the pipeline."""
    found = tuple(_of_builds(case))
    pipeline = case.pipeline
    if not found and pipeline is not None and pipeline.url:
        return (Link(label="Pipeline", url=pipeline.url),)
    return found


def _of_builds(case: Case) -> Iterator[Link]:
    told, good = case.told, case.build("last_passed")
    if told is not None and told.url:
        yield Link(label=f"Build #{told.number}", url=told.url)
    if case.over:
        return
    if told is not None and (log := case.background.log_url or log_url(told)):
        yield Link(label="Log", url=log)
    bad = case.build("first_failed")
    theirs = case.background.changes.url if case.background.changes is not None else None
    if good is not None and bad is not None and (changes := theirs or compare_url(good, bad)):
        yield Link(label=f"Changes #{good.number}…#{bad.number}", url=changes)
    if good is not None and good.url and case.alert.kind is not AlertKind.STALE:
        yield Link(label=f"Last good build #{good.number}", url=good.url)


def log_url(build: Build) -> str | None:
    """Jenkins shows a log on a page of its own; GitHub on that of the run."""
    if build.url is None or "/job/" not in urlsplit(build.url).path:
        return None
    return f"{build.url.rstrip('/')}/console"


def compare_url(good: Build, bad: Build) -> str | None:
    """GitHub's page of the commits after the last good build up to the first bad one; None elsewhere."""
    repository = _GITHUB_RUN.match(bad.url or "")
    commits = [each.commit or "" for each in (good, bad)]
    if repository is None or commits[0] == commits[1] or not all(map(_COMMIT.fullmatch, commits)):
        return None
    return f"{repository[1]}/compare/{commits[0]}...{commits[1]}"
