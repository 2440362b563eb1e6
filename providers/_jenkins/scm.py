"""Which of several checkouts of a build is the one that it is about."""

from collections.abc import Sequence
from typing import NamedTuple


class Revision(NamedTuple):
    """One checkout of a build, as the git plugin reports it."""

    commit: str
    branch: str | None
    remotes: tuple[str, ...]


class Remotes:
    """Learns which repositories many pipelines check out: those hold the shared libraries.

    A shared library is checked out first, so the first revision of a build is often not its own
    (workflow-job-plugin#788). Where nothing else tells, the last checkout is the one.
    """

    def __init__(self) -> None:
        self._used_by: dict[str, set[str]] = {}

    def choose(self, revisions: Sequence[Revision], pipeline: str) -> Revision:
        """The checkout of the pipeline's own repository: named like it, or used by it alone, or the last one."""
        if len(revisions) == 1:
            return revisions[0]
        for revision in revisions:
            for remote in revision.remotes:
                users = self._used_by.setdefault(remote, set())
                if len(users) < 2:  # noqa: PLR2004  (the second user makes it shared; more say nothing more)
                    users.add(pipeline)
        names = {name.lower() for name in pipeline.split("/")}
        for revision in reversed(revisions):
            if any(_repository(remote) in names for remote in revision.remotes):
                return revision
        own = [revision for revision in revisions if not self._is_shared(revision)]
        return (own or revisions)[-1]

    def _is_shared(self, revision: Revision) -> bool:
        return any(len(self._used_by[remote]) > 1 for remote in revision.remotes)


def _repository(remote: str) -> str:
    """`git@host:org/Name.git` → `name`."""
    return remote.rstrip("/").removesuffix(".git").replace(":", "/").rpartition("/")[2].lower()
