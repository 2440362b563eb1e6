"""Why a workflow has no new run: it is switched off, its repository is, or a run waits."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from domain.text import clean
from providers._github.client import Client
from providers._github.runs import moment

_STATES: Final[Mapping[str, str]] = {
    "disabled_manually": "the workflow is disabled: somebody switched it off on GitHub",
    "disabled_inactivity": "the workflow is disabled: GitHub disabled the schedule after 60 days without activity",
    "disabled_fork": "the workflow is disabled: GitHub does that in forks until somebody enables it",
    "deleted": "the workflow is deleted",
}
_WAITING: Final = "queued"


def why_idle(client: Client, key: str) -> str | None:
    """The reason in a few words, None when nothing stands in the way; at most three requests.

    `key` is that of a pipeline: `owner/name/<path of the workflow>`. Raises what `Client.get` raises.
    """
    owner, _, rest = key.partition("/")
    name, _, path = rest.partition("/")
    workflow = f"/repos/{owner}/{name}/actions/workflows/{quote(path.rpartition('/')[2])}"
    found = client.get(workflow, may_be_gone=True)
    if not found.found:
        return "GitHub has no such workflow any more, or the token may not see it"
    state = found.json().get("state")
    if state != "active":
        return _STATES.get(str(state), f"the workflow is {clean(str(state)).replace('_', ' ')}")
    return _waiting_run(client, workflow) or _closed_repository(client, f"/repos/{owner}/{name}")


def _waiting_run(client: Client, workflow: str) -> str | None:
    reply = client.get(f"{workflow}/runs", {"status": _WAITING, "per_page": 1}, may_be_gone=True)
    runs = reply.json().get("workflow_runs") if reply.found else None
    run: Mapping[str, Any] | None = runs[0] if isinstance(runs, list) and runs and isinstance(runs[0], dict) else None
    if run is None:
        return None
    since = moment(run.get("created_at"))
    when = f" since {since:%Y-%m-%d %H:%M} UTC" if since is not None else ""
    return clean(f"run #{run.get('run_number')} is queued{when}: no runner takes it")


def _closed_repository(client: Client, path: str) -> str | None:
    reply = client.get(path, may_be_gone=True)
    if not reply.found:
        return "the repository is gone, or the token may not see it"
    repository = reply.json()
    if repository.get("archived"):
        return "the repository is archived"
    return "the repository is disabled" if repository.get("disabled") else None
