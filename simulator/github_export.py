"""Owners, repositories, workflows, runs, jobs and artifacts as GitHub's REST API writes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from simulator.github_jobs import RunArtifact, WorkJob
from simulator.github_world import Attempt, Repository, Run, Workflow
from simulator.moments import whole_seconds

_USER_LINKS = (
    "followers", "following{/other_user}", "gists{/gist_id}", "starred{/owner}{/repo}", "subscriptions",
    "orgs", "repos", "events{/privacy}", "received_events",
)  # fmt: skip
_REPOSITORY_LINKS = (
    "forks", "keys{/key_id}", "collaborators{/collaborator}", "teams", "hooks", "issues/events{/number}", "events",
    "assignees{/user}", "branches{/branch}", "tags", "git/blobs{/sha}", "git/tags{/sha}", "git/refs{/sha}",
    "git/trees{/sha}", "statuses/{sha}", "languages", "stargazers", "contributors", "subscribers", "subscription",
    "commits{/sha}", "git/commits{/sha}", "comments{/number}", "issues/comments{/number}", "contents/{+path}",
    "compare/{base}...{head}", "merges", "{archive_format}{/ref}", "downloads", "issues{/number}", "pulls{/number}",
    "milestones{/number}", "notifications{?since,all,participating}", "labels{/name}", "releases{/id}", "deployments",
)  # fmt: skip
_SPECIAL = {"issues/events": "issue_events", "git/blobs": "blobs", "git/tags": "git_tags", "git/refs": "git_refs",
            "git/trees": "trees", "git/commits": "git_commits", "issues/comments": "issue_comment",
            "{archive_format}": "archive"}  # fmt: skip
_OWN_TIME = timedelta(seconds=1)  # a run ends a little after its last job


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes JSON values with links below `api` (`http://…/api/v3`) and `html` (`https://github.com`)."""

    api: str
    html: str
    now: datetime  # what is seen: a lagging index looks at the past

    def owner(self, login: str, *, kind: str = "User") -> dict[str, object]:
        """A user, an organization or an app."""
        url = f"{self.api}/users/{login}"
        links = {f"{link.partition('{')[0].strip('/')}_url": f"{url}/{link}" for link in _USER_LINKS}
        links["organizations_url"] = links.pop("orgs_url")
        return {"login": login, "id": crc32(login.encode(errors="surrogatepass")) % 10_000_000, "node_id": f"U_{login}",
                "avatar_url": f"{self.html}/{login}.png", "gravatar_id": "", "url": url,
                "html_url": f"{self.html}/{login}", **links, "type": kind, "site_admin": False}  # fmt: skip

    def minimal_repository(self, full_name: str, id_: int, *, fork: bool, private: bool) -> dict[str, object]:
        """As inside a run: without default_branch and archived."""
        owner, _, name = full_name.partition("/")
        url = f"{self.api}/repos/{full_name}"
        links = {f"{_link_name(link)}_url": f"{url}/{link}" for link in _REPOSITORY_LINKS}
        return {"id": id_, "node_id": f"R_{id_}", "name": name, "full_name": full_name, "private": private,
                "owner": self.owner(owner, kind="Organization"), "html_url": f"{self.html}/{full_name}",
                "description": f"The {name} repository", "fork": fork, "url": url, **links}  # fmt: skip

    def repository(self, repository: Repository, *, organization: bool = True) -> dict[str, object]:
        """As GET /repos/{owner}/{repo}."""
        minimal = self.minimal_repository(
            repository.full_name, repository.id, fork=repository.fork, private=repository.private
        )
        pushed = whole_seconds(repository.pushed_at)
        kind = "Organization" if organization else "User"
        return {**minimal, "owner": self.owner(repository.owner, kind=kind),
                "created_at": whole_seconds(repository.created_at), "updated_at": pushed, "pushed_at": pushed,
                "default_branch": repository.default_branch, "archived": repository.archived, "disabled": False,
                "visibility": "private" if repository.private else "public",
                "permissions": {"admin": False, "push": False, "pull": True}}  # fmt: skip

    def workflow(self, workflow: Workflow, repository: Repository) -> dict[str, object]:
        """As GET /repos/{owner}/{repo}/actions/workflows/{id}."""
        where = f"{self.html}/{repository.full_name}"
        at = whole_seconds(repository.created_at)
        return {"id": workflow.id, "node_id": f"W_{workflow.id}", "name": workflow.name, "path": workflow.path,
                "state": workflow.state, "created_at": at, "updated_at": at,
                "url": f"{self.api}/repos/{repository.full_name}/actions/workflows/{workflow.id}",
                "html_url": f"{where}/blob/{repository.default_branch}/{workflow.path}",
                "badge_url": f"{where}/workflows/{workflow.name}/badge.svg"}  # fmt: skip

    def run(self, run: Run, attempt: Attempt | None = None, *, pull_requests: bool = True) -> dict[str, object]:
        """A run at its newest attempt, or one attempt of it."""
        attempt = attempt or run.attempt(self.now)
        repository = run.repository
        url = f"{self.api}/repos/{repository.full_name}/actions/runs/{run.id}"
        done = attempt.status(self.now) == "completed"
        before = f"{url}/attempts/{attempt.number - 1}" if attempt.number > 1 else None
        suite = run.id + 1_000_000
        out: dict[str, object] = {
            "id": run.id,
            "name": run.workflow.path if attempt.conclusion == "startup_failure" else run.workflow.name,
            "node_id": f"WFR_{run.id}",
            "head_branch": run.branch,
            "head_sha": run.sha,
            "path": run.workflow.path,
            "display_title": run.title,
            "run_number": run.number,
            "event": run.event,
            "status": attempt.status(self.now),
            "conclusion": attempt.conclusion if done else None,
            "workflow_id": run.workflow.id,
            "check_suite_id": suite,
            "check_suite_node_id": f"CS_{suite}",
            "url": url,
            "html_url": f"{self.html}/{repository.full_name}/actions/runs/{run.id}",
            "pull_requests": [self._pull_request(run, n) for n in run.pull_requests] if pull_requests else [],
            "created_at": whole_seconds(run.created_at),
            "updated_at": whole_seconds(attempt.changed_at(self.now)),
            "actor": self.owner(run.attempts[0].actor),
            "run_attempt": attempt.number,
            "referenced_workflows": [],
            "run_started_at": whole_seconds(attempt.requested_at if attempt.number == 1 else attempt.started_at),
            "triggering_actor": self.owner(attempt.actor),
            **{f"{name}_url": f"{url}/{name}" for name in ("jobs", "logs", "artifacts", "cancel", "rerun")},
            "check_suite_url": f"{self.api}/repos/{repository.full_name}/check-suites/{suite}",
            "previous_attempt_url": before,
            "workflow_url": f"{self.api}/repos/{repository.full_name}/actions/workflows/{run.workflow.id}",
            "head_commit": self._commit(run),
            "repository": self.minimal_repository(
                repository.full_name, repository.id, fork=repository.fork, private=repository.private
            ),
            "head_repository": self._head(run),
        }
        return {name: value for name, value in {**out, **run.extra}.items() if name not in run.without}

    def job(self, job: WorkJob, run: Run, attempt: Attempt) -> dict[str, object]:
        """As in GET /repos/{owner}/{repo}/actions/runs/{id}/jobs."""
        base = f"{self.api}/repos/{run.repository.full_name}"
        starts = job.started_at or attempt.started_at
        ends = job.completed_at or (None if attempt.ends_at is None else max(starts, attempt.ends_at - _OWN_TIME))
        done = ends is not None and ends <= self.now
        begun = starts <= self.now
        where = f"{self.html}/{run.repository.full_name}/actions/runs/{run.id}/job/{job.id}"
        return {"id": job.id, "run_id": run.id, "workflow_name": run.workflow.name, "head_branch": run.branch,
                "run_url": f"{base}/actions/runs/{run.id}", "run_attempt": attempt.number, "node_id": f"CR_{job.id}",
                "head_sha": run.sha, "url": f"{base}/actions/jobs/{job.id}", "html_url": where,
                "status": "completed" if done else "in_progress" if begun else "queued",
                "conclusion": job.conclusion if done else None, "created_at": whole_seconds(attempt.requested_at),
                "started_at": whole_seconds(min(starts, self.now)),
                "completed_at": whole_seconds(ends) if done and ends else None, "name": job.name,
                "steps": self._steps(job, starts, ends) if begun else [],
                "check_run_url": f"{base}/check-runs/{job.id}", "labels": list(job.labels),
                "runner_id": 1 if job.steps else None, "runner_name": job.runner if job.steps else None,
                "runner_group_id": 0 if job.steps else None,
                "runner_group_name": job.runner_group if job.steps else None}  # fmt: skip

    def artifact(self, run: Run, artifact: RunArtifact) -> dict[str, object]:
        """As in GET /repos/{owner}/{repo}/actions/runs/{id}/artifacts."""
        url = f"{self.api}/repos/{run.repository.full_name}/actions/artifacts/{artifact.id}"
        at = whole_seconds(artifact.created_at)
        return {"id": artifact.id, "node_id": f"A_{artifact.id}", "name": artifact.name,
                "size_in_bytes": len(artifact.content), "url": url, "archive_download_url": f"{url}/zip",
                "expired": artifact.expired, "created_at": at, "updated_at": at,
                "expires_at": whole_seconds(artifact.created_at + timedelta(days=90)),
                "workflow_run": {"id": run.id, "repository_id": run.repository.id,
                                 "head_repository_id": run.repository.id, "head_branch": run.branch,
                                 "head_sha": run.sha}}  # fmt: skip

    def _steps(self, job: WorkJob, starts: datetime, ends: datetime | None) -> list[dict[str, object]]:
        """Steps of equal length; what lies in the future has not begun."""
        each = ((ends or self.now) - starts) / max(len(job.steps), 1)
        out = []
        for index, step in enumerate(job.steps):
            begin, end = starts + index * each, starts + (index + 1) * each
            done = ends is not None and end <= self.now
            status = "completed" if done else "in_progress" if begin <= self.now else "pending"
            out.append({"name": step.name, "number": index + 1, "status": status,
                        "conclusion": step.conclusion if done else None,
                        "started_at": whole_seconds(begin) if begin <= self.now else None,
                        "completed_at": whole_seconds(end) if done else None})  # fmt: skip
        return out

    def _head(self, run: Run) -> dict[str, object] | None:
        if run.head_repository is None:
            return None
        own = run.head_repository == run.repository.full_name
        id_ = run.repository.id if own else 500_000_000 + crc32(run.head_repository.encode()) % 1_000_000
        return self.minimal_repository(run.head_repository, id_, fork=not own, private=run.repository.private)

    def _commit(self, run: Run) -> Mapping[str, object]:
        person = {"name": run.attempts[0].actor, "email": f"{run.attempts[0].actor}@example.com"}
        return {"id": run.sha, "tree_id": run.sha[::-1], "message": run.title,
                "timestamp": whole_seconds(run.created_at), "author": person, "committer": person}  # fmt: skip

    def _pull_request(self, run: Run, number: int) -> Mapping[str, object]:
        own = {"id": run.repository.id, "url": f"{self.api}/repos/{run.repository.full_name}",
               "name": run.repository.name}  # fmt: skip
        return {"url": f"{self.api}/repos/{run.repository.full_name}/pulls/{number}", "id": 10_000 + number,
                "number": number, "head": {"ref": run.branch, "sha": run.sha, "repo": own},
                "base": {"ref": run.repository.default_branch, "sha": run.sha, "repo": own}}  # fmt: skip


def _link_name(link: str) -> str:
    plain = link if link.startswith("{archive") else link.partition("{")[0].rstrip("/")
    special = next((name for start, name in _SPECIAL.items() if plain.startswith(start)), None)
    return special or plain.replace("/", "_")
