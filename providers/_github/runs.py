"""GitHub's workflow runs in our words: every attempt of a run is a Build."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, Final

import orjson

from domain.build import Build, Outcome, Pipeline, Status
from domain.text import TITLE_LIMIT, clean, clean_url
from providers._base import Unreadable

Run = Mapping[str, Any]
"""A workflow run as GitHub's JSON has it."""

RAW_LIMIT: Final = 16 * 1024
DELETED: Final = "deleted"  # our own word for a run that is gone before it ended

_OUTCOMES: Final = MappingProxyType(
    {
        "success": Outcome.SUCCESS,
        "failure": Outcome.FAILURE,
        "startup_failure": Outcome.FAILURE,
        "timed_out": Outcome.TIMEOUT,
        "cancelled": Outcome.CANCELLED,
        "stale": Outcome.CANCELLED,
        "skipped": Outcome.SKIPPED,
        "neutral": Outcome.SKIPPED,
        "action_required": Outcome.SKIPPED,  # somebody has to approve a fork's run: nothing has failed
    }
)
_WAITING: Final = frozenset({"queued", "waiting", "requested", "pending"})
_APPROVAL: Final = "waiting"
_MERGE_QUEUE: Final = "gh-readonly-queue/"
_LONGEST_RUN: Final = timedelta(days=36)  # GitHub ends a run after 35
_KEPT: Final = (
    "id", "name", "path", "workflow_id", "run_number", "run_attempt", "event", "status", "conclusion", "head_branch",
    "head_sha", "display_title", "created_at", "run_started_at", "updated_at", "html_url",
)  # fmt: skip


def run_id(run: object) -> int | None:
    """The run's id, where it has one."""
    found = run.get("id") if isinstance(run, Mapping) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def attempt_of(run: Run) -> int:
    """Which attempt a run object shows; answers before 2022 do not say: 1."""
    found = run.get("run_attempt")
    return found if isinstance(found, int) and found >= 1 else 1


def is_over(run: Run) -> bool:
    """Whether the attempt has ended. The status decides, never the conclusion of an earlier attempt."""
    return _status(run) is Status.FINISHED


def outcome_of(conclusion: object) -> Outcome:
    """What GitHub's conclusion of a run, a job or a step means; UNKNOWN for a word that is new, and for none."""
    return _OUTCOMES.get(_lower(conclusion), Outcome.UNKNOWN)


def created_at(run: Run) -> datetime | None:
    """When the run was first created; None when that cannot be read."""
    try:
        return moment(run.get("created_at"))
    except (TypeError, ValueError):
        return None


def workflow_path(run: Run) -> str | None:
    """`.github/workflows/ci.yml` or `dynamic/...`, without the `@ref` that reusable workflows carry."""
    path = run.get("path")
    return path.partition("@")[0] or None if isinstance(path, str) else None


def kept(run: Run) -> dict[str, Any]:
    """What a build is made of and nothing else, for the cursor of a run that has not ended."""
    small: dict[str, Any] = {name: run.get(name) for name in _KEPT if run.get(name) is not None}
    for name, inner in (
        ("actor", "login"),
        ("triggering_actor", "login"),
        ("repository", "id"),
        ("head_repository", "id"),
    ):
        found = run.get(name)
        if isinstance(found, Mapping):
            small[name] = {inner: found.get(inner)}
    return small


def moment(text: str | None) -> datetime | None:
    """An ISO 8601 time in any offset as UTC; None for none and for Go's year 1. Raises ValueError."""
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return found if found.year > 1 else None


def pipeline_key(configured: str, path: str) -> str:
    """The key of a workflow's pipeline, which outlives a renaming of its repository.

    Args:
        configured: `owner/name` as config.yaml has it, or as a glob in it found it.
        path: Of the workflow, as `workflow_path` gives it.
    """
    return clean(f"{configured}/{path}")


def workflow_name(workflow: Run, path: str) -> str | None:
    """What a workflow calls itself, from a run of it or from the list of workflows.

    None where that tells nothing: servers before 2022 leave it out, a broken file has its path instead, and
    GitHub's own workflows (`dynamic/...`: Dependabot, Pages) have names that differ from run to run.
    """
    name = workflow.get("name")
    if not isinstance(name, str) or name == path or path.startswith("dynamic/"):
        return None
    return name.strip() or None


def pipeline_of(
    name: str | None, *, key: str, provider: str, repository: str, path: str, web_url: str, branch: str | None
) -> Pipeline:
    """A workflow as a pipeline. People see `acme/web CI`: every repository has a workflow of that name.

    Args:
        name: As `workflow_name` gives it; None: the stem of its file.
        key: As `pipeline_key` gives it.
        provider: Name in config.yaml.
        repository: `owner/name` as GitHub spells it today.
        path: Of the workflow, as `workflow_path` gives it.
        web_url: Where people look, e.g. https://github.com.
        branch: The repository's default branch, where known.
    """
    file = PurePosixPath(path)
    place = f"actions/workflows/{file.name}" if path.startswith(".github/workflows/") else f"actions/{path}"
    return Pipeline(
        provider=provider,
        key=key,
        name=clean(f"{repository} {name or file.stem}"),
        url=clean_url(f"{web_url}/{repository}/{place}"),
        default_branch=branch,
    )


def to_build(run: Run, pipeline: Pipeline) -> Build:
    """One attempt. Raises TypeError, KeyError, ValueError or AttributeError when the run makes no sense."""
    attempt, status, event = attempt_of(run), _status(run), _word(run.get("event"))
    conclusion = run.get("conclusion")
    from_pull_request = bool(event and event.startswith("pull_request")) or _is_pull_ref(run.get("head_branch"))
    queued, started, finished = _times(run, attempt, status)
    actor = run.get("triggering_actor") or run.get("actor") or {}
    over = status is Status.FINISHED
    broken_file = over and conclusion == "startup_failure"
    return Build(
        pipeline=pipeline,
        external_id=str(_whole(run["id"])),
        number=_whole(run["run_number"]),
        attempt=attempt,
        status=status,
        outcome=outcome_of(conclusion) if over else None,
        raw_outcome=_word(conclusion) if over else _approval(run),
        branch=_branch(run.get("head_branch")),
        commit=_word(run.get("head_sha")),
        title=_title(run),
        trigger=event,
        actor=_word(actor.get("login")),
        is_fork=_is_fork(run, from_pull_request=from_pull_request),
        is_pull_request=from_pull_request,
        queued_at=queued,
        started_at=started,
        finished_at=finished,
        url=clean_url(_word(run.get("html_url"), limit=4000)),
        bucket="startup_failure" if broken_file else None,
        reason="GitHub could not start the workflow: its file is not valid" if broken_file else None,
    )


def unreadable(run: object, configured: str, error: Exception) -> Unreadable:
    """A run that could not become a build, in its raw form; its repository as for `pipeline_key`."""
    path = workflow_path(run) if isinstance(run, Mapping) else None
    raw = orjson.dumps(run, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    found = run.get("id", "?") if isinstance(run, Mapping) else "?"
    return Unreadable(
        pipeline=pipeline_key(configured, path or "?"),
        external_id=clean(str(found)),
        problem=clean(f"{type(error).__name__}: {error}"),
        raw=clean(raw, RAW_LIMIT),
    )


def _status(run: Run) -> Status:
    word = _lower(run.get("status"))
    if word == "completed":
        return Status.FINISHED
    if word in _WAITING:
        return Status.QUEUED
    if word in {"in_progress", "running"}:
        return Status.RUNNING
    if run.get("conclusion") is not None:
        return Status.FINISHED
    return Status.RUNNING if word else Status.QUEUED  # a new word: read again until it ends


def _approval(run: Run) -> str | None:
    """`waiting`: a person has to let the run go on. That may take days, and no queue is stuck."""
    return _APPROVAL if _lower(run.get("status")) == _APPROVAL else None


def _times(run: Run, attempt: int, status: Status) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Queued, started, finished. `updated_at` moves long after the end: the store freezes the first one it saw."""
    created, updated = moment(run.get("created_at")), moment(run.get("updated_at"))
    began = moment(run.get("run_started_at")) or created
    queued = began if attempt > 1 else created  # a re-run keeps the created_at of the first attempt
    if status is not Status.FINISHED:
        return queued, began if status is Status.RUNNING else None, None
    finished = updated or began
    if began and finished:
        drifted = finished - began > _LONGEST_RUN
        finished = began if drifted else max(finished, began)
    return queued, began, finished


def _branch(name: object) -> str | None:
    branch = _word(name, limit=1000)
    if branch and branch.startswith(_MERGE_QUEUE):
        # gh-readonly-queue/main/pr-12-<sha>: one stream per target branch, not one per pull request
        branch = branch.rpartition("/pr-")[0] or branch
    return clean(branch) if branch else None


def _is_pull_ref(name: object) -> bool:
    return isinstance(name, str) and name.startswith(("refs/pull/", "pull/"))


def _is_fork(run: Run, *, from_pull_request: bool) -> bool:
    """Repository ids tell; a fork that was deleted since has none, and only pull requests come from forks."""
    here, head = run.get("repository"), run.get("head_repository")
    if not isinstance(head, Mapping) or not isinstance(here, Mapping):
        return from_pull_request
    return bool(head.get("id") != here.get("id"))


def _title(run: Run) -> str | None:
    title = run.get("display_title")
    if not isinstance(title, str) or not title:
        commit = run.get("head_commit")
        message = commit.get("message") if isinstance(commit, Mapping) else None
        title = message.partition("\n")[0] if isinstance(message, str) else None
    return clean(title, TITLE_LIMIT) if title else None


def _word(value: object, limit: int = 255) -> str | None:
    return clean(value, limit) if isinstance(value, str) and value else None


def _lower(value: object) -> str:
    return value.lower() if isinstance(value, str) else ""


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        message = f"{str(value)[:40]!r} is not a whole number"
        raise ValueError(message)
    return value
