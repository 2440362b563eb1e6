"""A small GitHub for provider tests: repositories, runs and attempts as GitHub's JSON has them, behind `responses`.

It answers as strictly as the documentation says and counts what it is asked; the simulator is the big brother.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import responses

BASE = "https://api.github.com"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
Answer = tuple[int, dict[str, str], str]


def iso(moment: datetime) -> str:
    """As GitHub writes times."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def run(number: int = 1, conclusion: str | None = "success", **changes: Any) -> dict[str, Any]:
    """Run `number`, begun so many minutes after NOON, 5 minutes long; it goes on when the conclusion is None."""
    begun = NOON + timedelta(minutes=number)
    values: dict[str, Any] = {
        "id": 1000 + number,
        "name": "CI",
        "path": ".github/workflows/ci.yml",
        "workflow_id": 7,
        "run_number": number,
        "run_attempt": 1,
        "event": "push",
        "status": "completed" if conclusion else "in_progress",
        "conclusion": conclusion,
        "head_branch": "main",
        "head_sha": f"{number:040x}",
        "display_title": f"Change {number}",
        "created_at": iso(begun),
        "run_started_at": iso(begun),
        "updated_at": iso(begun + timedelta(minutes=5 if conclusion else 0)),
        "html_url": f"https://github.com/acme/web/actions/runs/{1000 + number}",
        "actor": {"login": "ada"},
        "triggering_actor": {"login": "grace"},
        "repository": {"id": 1},
        "head_repository": {"id": 1},
    }
    return values | changes


def job(number: int, conclusion: str, *, steps: int = 3) -> dict[str, Any]:
    """A job that has ended, after so many steps."""
    begun = [{"name": f"step {each}", "conclusion": "success", "started_at": iso(NOON)} for each in range(steps)]
    return {"id": number, "name": f"job {number}", "status": "completed", "conclusion": conclusion, "steps": begun}


@dataclass(frozen=True)
class Asked:
    """One request that came in."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    status: int

    @property
    def tag(self) -> str | None:
        return self.headers.get("If-None-Match")


@dataclass
class GitHubApi:
    """One server with one repository and what tests put in its way."""

    repository: str = "acme/web"
    default_branch: str = "main"
    runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    attempts: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    workflows: list[dict[str, Any]] = field(default_factory=list)
    jobs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # by run; default: one that has begun
    annotations: dict[int, list[str]] = field(default_factory=dict)  # by job
    others: dict[str, Callable[[], Answer]] = field(default_factory=dict)  # path → what to answer instead
    link_base: str = "https://elsewhere.example/repositories/1"
    renamed_from: str | None = None
    asked: list[Asked] = field(default_factory=list)

    def put(self, *runs: dict[str, Any]) -> None:
        """Make runs exist, or replace them."""
        self.runs |= {each["id"]: each for each in runs}

    def rerun(self, number: int, conclusion: str | None = None, **changes: Any) -> None:
        """Run it again: same id and number, the next attempt."""
        before = self.runs[1000 + number]
        attempt = before["run_attempt"]
        self.attempts[before["id"], attempt] = before
        begun = NOON + timedelta(minutes=number + 60 * attempt)
        times = {"run_started_at": iso(begun), "updated_at": iso(begun + timedelta(minutes=2))}
        status = "completed" if conclusion else "queued"
        after = {"run_attempt": attempt + 1, "status": status, "conclusion": conclusion}
        self.put(before | times | after | changes)

    def end(self, number: int, conclusion: str) -> None:
        """Let a run end, 5 minutes after its begin."""
        before = self.runs[1000 + number]
        ended = datetime.fromisoformat(before["run_started_at"]) + timedelta(minutes=5)
        self.put(before | {"status": "completed", "conclusion": conclusion, "updated_at": iso(ended)})

    def mount(self, mock: responses.RequestsMock, base: str = BASE) -> None:
        """Answer everything below `base`."""
        for method in ("GET", "POST"):
            mock.add_callback(
                method, re.compile(re.escape(base) + "/.*"), callback=lambda sent: self.answer(sent, base)
            )

    def answer(self, sent: Any, base: str) -> Answer:
        parts = urlsplit(sent.url)
        path = parts.path.removeprefix(urlsplit(base).path)
        query = dict(parse_qsl(parts.query))
        status, headers, body = self._answer(path, query)
        if status == 200:
            tag = 'W/"' + sha256((body + str(sent.headers.get("Authorization"))).encode()).hexdigest()[:16] + '"'
            headers = {"ETag": tag, **headers}
            if sent.headers.get("If-None-Match") == tag:
                status, body = 304, ""
        self.asked.append(Asked(path, query, dict(sent.headers), status))
        return status, headers, body

    def paths(self) -> list[str]:
        """What was asked since the last call, without the repository."""
        found = [each.path.removeprefix(f"/repos/{self.repository}") for each in self.asked]
        self.asked.clear()
        return found

    def _answer(self, path: str, query: dict[str, str]) -> Answer:
        if path in self.others:
            return self.others[path]()
        if self.renamed_from and path.startswith(f"/repos/{self.renamed_from}"):
            rest = path.removeprefix(f"/repos/{self.renamed_from}")
            target = f"/repositories/1{rest}?{urlencode(query)}"
            return 301, {"Location": target}, json.dumps({"message": "Moved Permanently"})
        for base in (f"/repos/{self.repository}", "/repositories/1"):
            if path == base:
                return ok({"id": 1, "full_name": self.repository, "default_branch": self.default_branch})
            if path.startswith(base + "/"):
                return self._below(path.removeprefix(base + "/").removeprefix("actions/"), query)
        if path == "/rate_limit":
            return ok({"resources": {"core": {"limit": 5000, "remaining": 4999, "reset": 1763650000}}})
        return not_found()

    def _below(self, what: str, query: dict[str, str]) -> Answer:
        if what == "runs":
            return self._list(query)
        if what == "workflows":
            return ok({"total_count": len(self.workflows), "workflows": self.workflows})
        if match := re.fullmatch(r"runs/(\d+)", what):
            return ok(self.runs[int(match[1])]) if int(match[1]) in self.runs else not_found()
        if match := re.fullmatch(r"runs/(\d+)/attempts/(\d+)", what):
            found = self.attempts.get((int(match[1]), int(match[2])))
            return ok(found) if found else not_found()
        return self._about_jobs(what)

    def _about_jobs(self, what: str) -> Answer:
        if match := re.fullmatch(r"check-runs/(\d+)/annotations", what):
            return ok([{"message": text} for text in self.annotations.get(int(match[1]), [])])
        if match := re.fullmatch(r"runs/(\d+)/attempts/\d+/jobs", what):
            jobs = self.jobs.get(int(match[1]), [job(1, "failure")])
            return ok({"total_count": len(jobs), "jobs": jobs})
        return not_found()

    def _list(self, query: dict[str, str]) -> Answer:
        runs = sorted(self.runs.values(), key=lambda each: each["id"], reverse=True)
        if "status" in query or "branch" in query or "event" in query:
            runs = []  # the search index has not heard of anything
        if "created" in query:
            start, _, end = query["created"].partition("..")
            runs = [each for each in runs if start <= each["created_at"] <= end]
        size, page = min(int(query.get("per_page", 30)), 100), int(query.get("page", 1))
        shown = runs[:1000] if "created" in query else runs
        headers = {}
        if page * size < len(shown):
            following = urlencode(query | {"page": str(page + 1)})
            headers["Link"] = (
                f'<{self.link_base}/actions/runs?{following}>; rel="next", <https://x.example/>; rel="last"'
            )
        return ok({"total_count": len(runs), "workflow_runs": shown[(page - 1) * size : page * size]}, headers)


def ok(body: Any, headers: dict[str, str] | None = None) -> Answer:
    return 200, headers or {}, json.dumps(body)


def not_found() -> Answer:
    return 404, {}, json.dumps({"message": "Not Found"})


def failing(status: int, headers: dict[str, str] | None = None, message: str = "no") -> Callable[[], Answer]:
    """For `others`: always this answer."""
    return lambda: (status, headers or {}, json.dumps({"message": message}))
