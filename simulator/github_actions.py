"""What lies below one repository of the simulated GitHub: workflows, runs, attempts, jobs, logs, artifacts."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from simulator.github_answers import LARGEST_PAGE, Lazy, Refusal, listed, number
from simulator.github_commits import compared, written
from simulator.github_export import Writer
from simulator.github_jobs import RunArtifact, WorkJob
from simulator.github_search import Search
from simulator.github_world import Attempt, Repository, Run
from simulator.server import Answer, Request, json_answer


class Storage(Protocol):
    """Where logs lie."""

    def link(self, content: bytes, *, name: str = ..., kind: str = ...) -> str:
        """A link to this content."""
        ...


class House(Protocol):
    """What the server behind a repository provides."""

    link_base: str | None
    index_lag: timedelta

    @property
    def url(self) -> str:
        """The `api_url`."""
        ...

    @property
    def storage(self) -> Storage:
        """Where logs lie."""
        ...

    def now(self) -> datetime:
        """The time."""
        ...

    def writer(self, seen_at: datetime) -> Writer:
        """Writes what was there at a moment."""
        ...


class ActionsRoutes:
    """What lies below one repository."""

    def __init__(self, house: "House", request: Request, repository: Repository) -> None:
        self._house = house
        self._request = request
        self._repository = repository
        self._writer = house.writer(house.now())

    def answer(self, rest: Sequence[str]) -> Answer:
        """The resource at this path below /repos/{owner}/{repo}."""
        match rest:
            case []:
                organization = self._repository.owner not in self._repository.github.users
                return json_answer(self._writer.repository(self._repository, organization=organization))
            case ["actions", "workflows", *more]:
                return self._workflows(more)
            case ["actions", "runs"]:
                return self._runs(self._repository.runs)
            case ["actions", kind, number, *more] if number.isdigit():
                return self._one(kind, int(number), more)
        return self._beside(rest)

    def _one(self, kind: str, number: int, more: Sequence[str]) -> Answer:
        run = next((r for r in self._repository.runs if r.id == number), None)
        if kind == "runs" and run is not None:
            return self._run(run, more)
        if kind == "jobs":
            return self._job(number, more)
        if kind == "artifacts":
            return self._artifact(number, more)
        raise Refusal(404, "Not Found")

    def _beside(self, rest: Sequence[str]) -> Answer:
        match rest:
            case ["check-runs", number, "annotations"] if number.isdigit():
                _, _, job = self._find_job(int(number))
                return self._list(job.annotations)
            case ["compare", where]:
                return self._compare(where)
            case ["commits", sha]:
                return self._commit(sha)
        raise Refusal(404, "Not Found")

    def _list(self, values: Sequence[object], key: str | None = None) -> Answer:
        """Link headers name the repository by its id, whatever name was asked."""
        parts = self._request.path.split("/")
        below = parts[next(parts.index(name) for name in ("actions", "check-runs", "compare") if name in parts) :]
        base = "/".join([self._house.link_base or self._house.url, "repositories", str(self._repository.id), *below])
        return listed(self._request, values, base, key)

    def _workflows(self, more: Sequence[str]) -> Answer:
        if not more:
            return self._list(
                [self._writer.workflow(w, self._repository) for w in self._repository.workflows], "workflows"
            )
        found = next((w for w in self._repository.workflows if more[0] in (str(w.id), w.file, w.path)), None)
        if found is None:
            raise Refusal(404, "Not Found")
        if list(more[1:]) == ["runs"]:
            return self._runs([run for run in self._repository.runs if run.workflow is found])
        if more[1:]:
            raise Refusal(404, "Not Found")
        return json_answer(self._writer.workflow(found, self._repository))

    def _runs(self, runs: Sequence[Run]) -> Answer:
        """Newest first. Unfiltered lists are exact; filtered ones come from an index that lags and ends at 1,000."""
        now = self._house.now()
        search = Search(self._request.query)
        seen_at = now - self._house.index_lag if search.filtered else now
        writer = self._house.writer(seen_at)
        seen = [
            r
            for r in runs
            if r.created_at <= seen_at and search.matches(r, r.attempt(seen_at).status(seen_at), seen_at)
        ]
        seen.sort(key=lambda r: (r.created_at, r.id), reverse=True)
        size = min(number(self._request, "per_page", 30), LARGEST_PAGE)
        if not search.reaches(number(self._request, "page", 1), size):
            raise Refusal(422, "Only the first 1000 search results are available")
        pulls = self._request.query.get("exclude_pull_requests") != "true"
        page = Lazy(seen, lambda run: writer.run(run, pull_requests=pulls))
        return self._list(page, "workflow_runs")

    def _run(self, run: Run, more: Sequence[str]) -> Answer:
        newest = run.attempt(self._house.now())
        match more:
            case []:
                return json_answer(self._writer.run(run))
            case ["jobs"]:
                every = run.attempts if self._request.query.get("filter") == "all" else [newest]
                return self._jobs(run, every)
            case ["attempts", number] if self._attempt(run, number):
                return json_answer(self._writer.run(run, self._attempt(run, number)))
            case ["attempts", number, "jobs"] if found := self._attempt(run, number):
                return self._jobs(run, [found])
            case ["artifacts"]:
                return self._artifacts(run)
        raise Refusal(404, "Not Found")

    def _attempt(self, run: Run, number: str) -> Attempt | None:
        now = self._house.now()
        return next(
            (a for a in run.attempts if str(a.number) == number and (a.requested_at <= now or a.number == 1)), None
        )

    def _jobs(self, run: Run, attempts: Sequence[Attempt]) -> Answer:
        return self._list([self._writer.job(job, run, attempt) for attempt in attempts for job in attempt.jobs], "jobs")

    def _find_job(self, number: int) -> tuple[Run, Attempt, WorkJob]:
        for run in self._repository.runs:
            for attempt in run.attempts:
                for job in attempt.jobs:
                    if job.id == number:
                        return run, attempt, job
        raise Refusal(404, "Not Found")

    def _job(self, number: int, more: Sequence[str]) -> Answer:
        run, attempt, job = self._find_job(number)
        if not more:
            return json_answer(self._writer.job(job, run, attempt))
        if list(more) != ["logs"] or attempt.status(self._house.now()) != "completed" or job.log_state == "lost":
            raise Refusal(404, "Not Found")
        if job.log_state == "expired":
            raise Refusal(410, "The logs for this run have expired and are no longer available.")
        return _redirect(self._house.storage.link(job.log))

    def _artifacts(self, run: Run) -> Answer:
        """Newest first, of all attempts."""
        there = [each for each in run.artifacts if each.created_at <= self._house.now()]
        return self._list([self._writer.artifact(run, each) for each in reversed(there)], "artifacts")

    def _artifact(self, number: int, more: Sequence[str]) -> Answer:
        found = ((run, each) for run in self._repository.runs for each in run.artifacts if each.id == number)
        run, artifact = next(found, (None, None))
        if run is None or artifact is None:
            raise Refusal(404, "Not Found")
        if not more:
            return json_answer(self._writer.artifact(run, artifact))
        return self._archive(artifact, more)

    def _archive(self, artifact: RunArtifact, more: Sequence[str]) -> Answer:
        if list(more) != ["zip"]:
            raise Refusal(404, "Not Found")
        if artifact.expired:
            raise Refusal(410, "Artifact has expired")
        link = self._house.storage.link(artifact.content, name=f"{artifact.id}.zip", kind="application/zip")
        return _redirect(link)

    def _compare(self, where: str) -> Answer:
        """The commits in pages, oldest first, between what does not change from page to page."""
        base, _, head = where.partition("...")
        found = self._repository.history.between(base, head)
        if found is None:
            raise Refusal(404, "Not Found")
        commits = [written(each, self._writer, self._api, self._html) for each in found[0]]
        page = self._list(commits)
        about = compared(commits, found[1], base=base, head=head, api=self._api, html=self._html)
        return json_answer({**about, "commits": json.loads(page.body), "files": []}, headers=_links(page))

    def _commit(self, sha: str) -> Answer:
        found = self._repository.history.find(sha)
        if found is None:
            raise Refusal(422, f"No commit found for SHA: {sha}")
        return json_answer(written(found, self._writer, self._api, self._html))

    @property
    def _api(self) -> str:
        return f"{self._writer.api}/repos/{self._repository.full_name}"

    @property
    def _html(self) -> str:
        return f"{self._writer.html}/{self._repository.full_name}"


def _redirect(link: str) -> Answer:
    return Answer(status=302, headers={"Location": link, "Content-Type": "text/html;charset=utf-8"})


def _links(page: Answer) -> dict[str, str]:
    return {"Link": page.headers["Link"]} if "Link" in page.headers else {}
