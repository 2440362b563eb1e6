"""The queue of a Jenkins: a build there has no number yet, and no job lists it."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from domain.text import clean
from providers._base import Waiting
from providers._jenkins.client import JenkinsClient
from providers._jenkins.names import decoded

_ITEMS: Final = "items[id,inQueueSince,why,task[fullName]]"
_WHY_LIMIT: Final = 300


def read_queue(client: JenkinsClient) -> tuple[Waiting, ...]:
    """What waits now; a part of a pipeline that wants an executor is no build, and left out. Raises like `get`."""
    items = client.get("queue/", _ITEMS).get("items")
    found = (_waiting(item) for item in items if isinstance(item, dict)) if isinstance(items, list) else ()
    return tuple(each for each in found if each is not None)


def _waiting(item: dict[str, Any]) -> Waiting | None:
    task, number, since = item.get("task"), item.get("id"), item.get("inQueueSince")
    job = task.get("fullName") if isinstance(task, dict) else None
    if not isinstance(job, str) or not job or type(number) is not int or type(since) is not int:
        return None
    project, _, branch = job.rpartition("/")
    why = item.get("why")
    return Waiting(
        number=number,
        # Only who knows the pipelines knows whether the parent is a folder or a multibranch project.
        places=((clean(job, 1000), ""), (clean(project, 1000), clean(decoded(branch)))),
        since=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=since),
        why=clean(why, _WHY_LIMIT) if isinstance(why, str) and why else None,
    )
