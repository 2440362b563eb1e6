"""Who changed what: the commits of a simulated repository, and the comparison of two of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from simulator.moments import whole_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit. Without a `login` GitHub does not know whose mail address it is."""

    sha: str
    message: str
    author: str
    login: str | None = None
    at: datetime

    @property
    def is_bot(self) -> bool:
        """Whether an app made it."""
        return (self.login or "").endswith("[bot]")


class People(Protocol):
    """Writes accounts."""

    def owner(self, login: str, *, kind: str = "User") -> dict[str, object]:
        """An account."""
        ...


def written(commit: Commit, people: People, api: str, html: str) -> dict[str, object]:
    """A commit as GitHub's JSON has it; `api` and `html` are the URLs of its repository."""
    person = {"name": commit.author, "email": f"{commit.login or 'someone'}@example.com",
              "date": whole_seconds(commit.at)}  # fmt: skip
    account = people.owner(commit.login, kind="Bot" if commit.is_bot else "User") if commit.login else None
    return {"sha": commit.sha, "node_id": f"C_{commit.sha[:12]}", "url": f"{api}/commits/{commit.sha}",
            "html_url": f"{html}/commit/{commit.sha}",
            "commit": {"author": person, "committer": person, "message": commit.message,
                       "tree": {"sha": commit.sha[::-1], "url": f"{api}/git/trees/{commit.sha[::-1]}"},
                       "url": f"{api}/git/commits/{commit.sha}", "comment_count": 0},
            "author": account, "committer": account, "parents": []}  # fmt: skip


class History:
    """The commits of one repository, a line per branch; branches begin where the default branch was."""

    def __init__(self) -> None:
        self._lines: dict[str, list[Commit]] = {}
        self._known: dict[str, Commit] = {}

    def add(self, branch: str, commits: Sequence[Commit], *, base: str) -> None:
        """Push commits to a branch; those that are known are not pushed again."""
        line = self._lines.setdefault(branch, list(self._lines.get(base, ())))
        for commit in commits:
            if commit.sha not in self._known:
                self._known[commit.sha] = commit
                line.append(commit)

    def forget(self, sha: str) -> None:
        """Make a commit unreachable, as a force push does."""
        self._known.pop(sha, None)
        for line in self._lines.values():
            line[:] = [commit for commit in line if commit.sha != sha]

    def find(self, sha: str) -> Commit | None:
        """The commit with this id."""
        return self._known.get(sha)

    def between(self, base: str, head: str) -> tuple[list[Commit], int] | None:
        """What `head` has and `base` has not, oldest first, and how many `base` has more; None: one is not there."""
        old, new = self._up_to(base), self._up_to(head)
        if old is None or new is None:
            return None
        shared = {commit.sha for commit in old}, {commit.sha for commit in new}
        ahead = [commit for commit in new if commit.sha not in shared[0]]
        return ahead, sum(commit.sha not in shared[1] for commit in old)

    def _up_to(self, sha: str) -> list[Commit] | None:
        if sha not in self._known:
            return None
        for line in self._lines.values():
            for index, commit in enumerate(line):
                if commit.sha == sha:
                    return line[: index + 1]
        return None


def compared(
    ahead: Sequence[Mapping[str, object]], behind: int, *, base: str, head: str, api: str, html: str
) -> dict[str, object]:
    """The comparison without its commits, which come in pages."""
    word = (
        "identical" if not ahead and not behind else "diverged" if ahead and behind else "ahead" if ahead else "behind"
    )
    where = f"{base}...{head}"
    return {"url": f"{api}/compare/{where}", "html_url": f"{html}/compare/{where}", "permalink_url": "",
            "diff_url": f"{html}/compare/{where}.diff", "patch_url": f"{html}/compare/{where}.patch",
            "status": word, "ahead_by": len(ahead), "behind_by": behind, "total_commits": len(ahead)}  # fmt: skip
