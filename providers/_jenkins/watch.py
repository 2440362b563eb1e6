"""What config.yaml asks for, applied to the jobs of a server: which are read, for which pipeline, with which labels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.build import Pipeline
from domain.text import clean, clean_url
from providers._jenkins.build import BuildReader, fields_for
from providers._jenkins.names import JobGlob, decoded, is_pull_request, path_of
from providers._jenkins.scm import Remotes
from providers._jenkins.tree import Job
from providers._labels import JOB_NAME, LabelSource

DEPTH_OF_ANY: Final = 5  # levels in one heartbeat for a glob with **

_KEY_LIMIT: Final = 1000
_USUAL_DEFAULTS: Final = ("main", "master")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One entry of `pipelines:`, ready for use."""

    glob: JobGlob
    target: str  # key of the target that polls it: entries with the same interval share one
    name: str | None
    labels: Mapping[str, str]
    sources: tuple[LabelSource, ...]

    def matches(self, key: str) -> bool:
        """Whether the entry watches this pipeline: it names it, or a branch of it."""
        return self.glob.matches(key) or self.glob.branches_in(key) is not None


class Watch:
    """The entries of one server, as one target sees them.

    Answers are remembered, because a thousand jobs are asked about every minute.

    Args:
        provider: Name of the connection in config.yaml.
        url: Of the server, with a slash at the end.
        rules: All entries, in order: the first one that watches a pipeline decides.
        target: Only the pipelines of this target count; None: those of all.
    """

    def __init__(self, provider: str, url: str, rules: Sequence[Rule], target: str | None = None) -> None:
        self._provider = provider
        self._target = target
        self._url = url
        self._rules = tuple(rules)
        self._chosen: dict[tuple[str, str | None], Rule | None] = {}
        self._met: set[str] = set()  # globs that some job matched
        self._remotes = Remotes()
        self._primary: dict[str, str] = {}  # multibranch project → the branch that Jenkins calls primary
        globs = [rule.glob for rule in rules]
        self.depth = max((DEPTH_OF_ANY if glob.depth is None else glob.depth + 1 for glob in globs), default=1)
        self.fields = fields_for(source for rule in rules for source in rule.sources)

    def rule_of(self, job: Job) -> Rule | None:
        """The first entry that watches the job's pipeline, None when no entry asks for this job."""
        asked = (job.full_name, job.project)
        if asked not in self._chosen:
            rule = self._choose(job)
            if rule is not None:
                self._met.add(rule.glob.text)
            self._chosen[asked] = rule if rule and self._target in {None, rule.target} else None
        return self._chosen[asked]

    def _choose(self, job: Job) -> Rule | None:
        if job.project is None:
            return next((rule for rule in self._rules if rule.glob.matches(job.full_name)), None)
        project = job.project
        for rule in self._rules:
            if rule.glob.matches(project) or (rule.matches(project) and rule.glob.matches(job.full_name)):
                return next(first for first in self._rules if first.matches(project))
        return None

    def reaches_into(self, folder: str) -> bool:
        """Whether any entry means something in this folder."""
        return any(rule.glob.reaches_into(folder) or rule.glob.matches(folder) for rule in self._rules)

    def not_met(self) -> list[str]:
        """The entries that no job has matched so far: perhaps misspelt, or hidden from us. Told once."""
        missing = [rule.glob.text for rule in self._rules if rule.target == self._target]
        missing = [text for text in missing if text not in self._met]
        self._met.update(missing)
        return missing

    def note_primary(self, job: Job, *, remembered: bool = False) -> None:
        """This branch job is the one of the default branch; what is only `remembered` yields to what was just read."""
        branch = branch_of(job)
        if job.project is not None and branch and not (remembered and job.project in self._primary):
            self._primary[job.project] = branch

    def pipeline(self, job: Job, rule: Rule, branches: Iterable[str] = ()) -> Pipeline:
        """The pipeline that a job belongs to: itself, or its multibranch project.

        Args:
            job: A job that `rule` watches.
            rule: What `rule_of` said.
            branches: All branches of the multibranch project, decoded.
        """
        key = job.project or job.full_name
        return Pipeline(
            provider=self._provider,
            key=key_of(job),
            name=(rule.name if rule.glob.literal else None) or clean(decoded(key)),
            url=clean_url(self._url + path_of(key)),
            labels=rule.labels,
            branched=job.project is not None,
            default_branch=self._default_branch(job.project, rule, branches) if job.project else None,
        )

    def _default_branch(self, project: str, rule: Rule, branches: Iterable[str]) -> str | None:
        if rule.glob.literal and not rule.glob.matches(project):
            return rule.glob.branches_in(project)  # the one branch that the entry names is the one that matters
        if project in self._primary:
            return self._primary[project]
        names = [name for name in branches if not is_pull_request(name)]
        usual = next((name for name in _USUAL_DEFAULTS if name in names), None)
        return usual or (names[0] if len(names) == 1 else None)

    def reader(self, job: Job, rule: Rule, pipeline: Pipeline) -> BuildReader:
        """Reads this job's builds for this pipeline."""
        name = decoded(job.full_name)
        job_labels = {source.name: source.taken(name) for source in rule.sources if source.kind == JOB_NAME}
        branch = branch_of(job)
        return BuildReader(
            pipeline=pipeline,
            url=clean_url(self._url + path_of(job.full_name)),
            branch=branch,
            is_pull_request=branch is not None and is_pull_request(branch),
            labels=[source for source in rule.sources if source.kind != JOB_NAME],
            job_labels={label: value for label, value in job_labels.items() if value},
            remotes=self._remotes,
        )


def key_of(job: Job) -> str:
    """The key of the pipeline that a job belongs to."""
    return clean(job.project or job.full_name, _KEY_LIMIT)


def branch_of(job: Job) -> str | None:
    """The branch of a branch job, decoded; None for any other job."""
    if job.project is None:
        return None
    return clean(decoded(job.full_name.removeprefix(job.project + "/")))


def branches_of(jobs: Iterable[Job]) -> dict[str, list[str]]:
    """The branches of every multibranch project, decoded."""
    found: dict[str, list[str]] = {}
    for job in jobs:
        if job.project is not None:
            found.setdefault(job.project, []).append(branch_of(job) or "")
    return found
