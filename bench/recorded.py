"""Histories of real pipelines, from ../shared/data: none, where that folder is not."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from domain.build import Build, Outcome, Pipeline, Status

DATA = Path(__file__).parents[2] / "shared" / "data"
OUTCOMES = {
    "success": Outcome.SUCCESS,
    "failure": Outcome.FAILURE,
    "unstable": Outcome.UNSTABLE,
    "cancelled": Outcome.CANCELLED,
    "aborted": Outcome.CANCELLED,
}
"""Other words are left out."""


def recorded() -> Mapping[str, list[Build]]:
    """The builds that ended, by stream, in the order of their numbers."""
    found: dict[str, list[Build]] = defaultdict(list)
    for record in _records("github/devlake_runs.jsonl"):
        run = record["data"]
        stream = f"{run['repository']['full_name']} {run['name']} {run['head_branch']}"
        began = datetime.fromisoformat(run["run_started_at"] or run["created_at"])
        ended = datetime.fromisoformat(run["updated_at"])
        found[stream] += _build(stream, run["run_number"], run["conclusion"], (began, ended), run["head_sha"])
    for name in ("devlake_builds_folder_freestyle", "devlake_builds_multibranch"):
        for record in _records(f"jenkins/{name}.jsonl"):
            build = record["data"]
            stream = record["input"]["Path"].strip("/").rpartition("job/")[2] or record["input"]["Name"]
            began = datetime.fromtimestamp(build["timestamp"] / 1000, UTC)
            ended = began + timedelta(milliseconds=build["duration"])
            found[stream] += _build(stream, build["number"], build["result"], (began, ended), None)
    return {stream: sorted(builds, key=lambda build: build.number) for stream, builds in found.items()}


def _build(
    stream: str, number: int, word: str | None, times: tuple[datetime, datetime], commit: str | None
) -> Iterator[Build]:
    outcome = OUTCOMES.get(str(word).lower())
    if outcome is not None:
        yield Build(
            pipeline=Pipeline(provider="ci", key=stream.replace(" ", "/"), name=stream, branched=False),
            external_id=str(number),
            number=number,
            status=Status.FINISHED,
            outcome=outcome,
            commit=commit,
            started_at=times[0],
            finished_at=times[1],
        )


def _records(path: str) -> Iterator[Mapping[str, Any]]:
    file = DATA / path
    for text in file.read_text("utf-8").splitlines() if file.exists() else ():
        yield json.loads(text)
