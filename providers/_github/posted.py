"""What GitHub tells by itself: webhooks, and the addresses of its pages. Reaches nothing."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from domain.build import Build
from providers._base import Place, Posted
from providers._github.collection import Wanted
from providers._github.runs import Run, pipeline_key, pipeline_of, to_build, workflow_name, workflow_path

TargetOf = Callable[[str], str | None]
"""From `owner/name` as GitHub spells it today to what polls it; None when nobody watches it."""

_NOT_A_RUN: Final = (AttributeError, KeyError, TypeError, OverflowError)
_RUN_PAGE: Final = 5  # owner, name, actions, runs, id
_LONGEST_ID: Final = 20


def posted_run(body: Mapping[str, Any], wanted: Wanted, target_of: TargetOf) -> Posted | None:
    """What the body of a webhook tells: of a run, or only that something happened in a repository.

    The run itself counts and not the `action`, which may say `completed` of a run that is queued again.

    Args:
        body: The JSON object that GitHub sent.
        wanted: Which workflows count, and what config.yaml says of them.
        target_of: What polls a repository.

    Raises:
        ValueError: the body tells of no repository, or of a run that makes no sense.
    """
    repository = body.get("repository")
    name = repository.get("full_name") if isinstance(repository, Mapping) else None
    if not isinstance(repository, Mapping) or not isinstance(name, str) or name.count("/") != 1:
        raise ValueError("repository.full_name: it tells of no repository")
    target = target_of(name)
    if target is None:
        return None
    run = body.get("workflow_run")
    if run is None:
        return Posted(targets=(target,), within=f"{target}/")
    try:
        found = _build(run, body.get("workflow"), repository, target, wanted)
    except _NOT_A_RUN as error:
        raise ValueError(f"workflow_run: {type(error).__name__}: {error}") from error
    return None if found is None else Posted(targets=(target,), within=f"{target}/", build=found)


def _build(run: Run, workflow: object, repository: Mapping[str, Any], target: str, wanted: Wanted) -> Build | None:
    file = workflow if isinstance(workflow, Mapping) else {}
    path = workflow_path(run) or workflow_path(file)
    if path is None:  # GitHub before 2022: only asking tells
        raise ValueError("workflow_run.path: it does not say which workflow it is a run of")
    key = pipeline_key(target, path)
    if not wanted.matches(key):
        return None
    branch = repository.get("default_branch")
    pipeline = pipeline_of(
        workflow_name(run, path) or workflow_name(file, path),
        key=key,
        provider=wanted.provider,
        repository=str(repository["full_name"]),
        path=path,
        web_url=wanted.web_url,
        branch=branch if isinstance(branch, str) else None,
    )
    return wanted.labelled(to_build(run, wanted.dressed(pipeline)))


def place_of(url: str, web_url: str, target_of: TargetOf) -> Place | None:
    """Where the run is found that a page shows: https://github.com/acme/web/actions/runs/7/attempts/2.

    Args:
        url: Of a page of a run, or of anything below it.
        web_url: Where people look at the server.
        target_of: What polls a repository.
    """
    try:
        page, home = urlsplit(url), urlsplit(web_url)
        same = (page.hostname, page.port) == (home.hostname, home.port)
    except ValueError:
        return None
    path = home.path.rstrip("/") + "/"
    if not same or not page.path.startswith(path):
        return None
    segments = page.path.removeprefix(path).split("/")
    if len(segments) < _RUN_PAGE or segments[2:4] != ["actions", "runs"] or not _is_number(segments[4]):
        return None
    repository = f"{segments[0]}/{segments[1]}"
    target = target_of(repository)
    if target is None:
        return None
    rest = segments[_RUN_PAGE:]
    attempt = int(rest[1]) if len(rest) > 1 and rest[0] == "attempts" and _is_number(rest[1]) else None
    return Place(targets=(target,), within=f"{target}/", external_id=segments[4], attempt=attempt)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID
