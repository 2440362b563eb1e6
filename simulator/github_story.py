"""The GitHub side of the demo's story: runs that look like runs, with people who change things and break them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from simulator.github_commits import Commit
from simulator.github_jobs import WorkJob
from simulator.github_world import Repository, Run

Add = Callable[[float, float, str | None], object]
"""Puts a run into the world: seconds ago, its length, the trouble that it meets."""

WRONG_TYPE = "Type 'string' is not assignable to type 'number'"
_EVERYDAY = (
    ("ada", "Ada Moreau", "Show the delivery date in the basket"),
    ("noor", "Noor Haddad", "Cache the list of shops"),
    ("dependabot[bot]", "dependabot[bot]", "Bump vite from 7.1.4 to 7.1.5"),
    ("ada", "Ada Moreau", "Explain the discount"),
    ("lena", "Lena Okafor", "Test the empty basket"),
)
_TESTS = ("adds an item", "removes an item", "totals match", "survives a reload", "applies one voucher")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a trouble shows: where it stops, what is written there, which tests fail, and who brought it in."""

    jobs: tuple[str, ...]  # that fail
    step: str
    output: str
    failing: Mapping[str, str]  # tests and their messages
    remarks: tuple[Mapping[str, object], ...] = ()
    culprit: tuple[str, str, str] | None = None  # login, name and title of the commit that broke it
    repair: tuple[str, str, str] | None = None


_TYPE_ERROR = Failure(
    jobs=("test (20)", "test (22)"),
    step="Run npm test",
    output="""\
> web@4.11.0 test
> jest --ci --reporters=default --reporters=jest-junit

\x1b[32mPASS\x1b[0m src/voucher.test.ts
\x1b[31mFAIL\x1b[0m src/cart.test.ts
  \x1b[1m● Cart \u203a totals match\x1b[22m

    src/cart.ts:41:7 - error TS2322: Type 'string' is not assignable to type 'number'.

    41       total: this.items.map((item) => item.price).join('+'),
             ~~~~~

      at Cart.totals (src/cart.ts:41:7)
      at Object.<anonymous> (src/cart.test.ts:18:12)

Tests:       1 failed, 4 passed, 5 total
Time:        6.218 s
Ran all test suites.
npm error Lifecycle script `test` failed with error:
npm error code 1
""",
    failing={"totals match": "src/cart.ts:41:7 - error TS2322: Type 'string' is not assignable to type 'number'."},
    remarks=({"message": f"{WRONG_TYPE}.", "path": "src/cart.ts", "line": 41, "title": "TS2322"},),
    culprit=("lena", "Lena Okafor", "Keep prices as they are written"),
    repair=("lena", "Lena Okafor", "Read prices before they are summed"),
)
_SLOW_RELOAD = Failure(
    jobs=("test (22)",),
    step="Run npm test",
    output="""\
> web@4.11.0 test
> jest --ci --reporters=default --reporters=jest-junit

\x1b[31mFAIL\x1b[0m src/cart.test.ts (12.4 s)
  \x1b[1m● Cart \u203a survives a reload\x1b[22m

    thrown: "Exceeded timeout of 5000 ms for a test.
    Add a timeout value to this test to increase the timeout, if this is a long-running test."

      at src/cart.test.ts:31:3

Tests:       1 failed, 4 passed, 5 total
npm error Lifecycle script `test` failed with error:
npm error code 1
""",
    failing={"survives a reload": 'thrown: "Exceeded timeout of 5000 ms for a test.'},
)
_NO_REGISTRY = Failure(
    jobs=("plan",),
    step="Run terraform init",
    output="""\
Initializing provider plugins...
- Finding hashicorp/aws versions matching "~> 5.70"...
\x1b[31m╷\x1b[0m
\x1b[31m│\x1b[0m Error: Failed to query available provider packages
\x1b[31m│\x1b[0m
\x1b[31m│\x1b[0m Could not retrieve the list of available versions for provider hashicorp/aws: could not connect to
\x1b[31m│\x1b[0m registry.terraform.io: dial tcp: lookup registry.terraform.io on 127.0.0.53:53: server misbehaving
\x1b[31m╵\x1b[0m
""",
    failing={},
)


class Workflow:
    """A workflow of a repository; its troubles are failures by name, and any other trouble is `unlucky`."""

    def __init__(
        self,
        repository: Repository,
        file: str,
        jobs: Sequence[str],
        steps: Sequence[str],
        *,
        unlucky: Failure,
        troubles: Mapping[str, Failure] | None = None,
        tests: bool = True,
        **run: Any,
    ) -> None:
        self._repository = repository
        self._file = file
        self._jobs = jobs
        self._steps = steps
        self._unlucky = unlucky
        self._troubles = troubles or {}
        self._tests = tests
        self._run = run
        self._count = 0
        self._broken: Failure | None = None

    def add(self, ago: float, length: float, cause: str | None) -> Run:
        """One more run."""
        failure = None if cause is None else self._troubles.get(cause, self._unlucky)
        commits = list(self._pushed(failure))
        run = self._repository.run(
            "failure" if failure else "success",
            workflow=self._file,
            jobs=[self._job(name, failure) for name in self._jobs],
            commits=commits,
            started_ago=ago,
            duration=length,
            title=self._run.get("title") or commits[-1].message,
            queued_for=0.2,
            **{name: value for name, value in self._run.items() if name != "title"},
        )
        for name in self._jobs if self._tests else ():
            if name.startswith("test"):
                failing = failure.failing if failure and name in failure.jobs else {}
                run.artifact(f"test-results {name.removeprefix('test ')}", {"junit.xml": _junit(failing)})
        return run

    def _pushed(self, failure: Failure | None) -> Iterator[Commit]:
        """What somebody works on; and what breaks it or repairs it, when that is somebody's doing."""
        self._count += 1
        yield self._commit(_EVERYDAY[self._count % len(_EVERYDAY)])
        planned = failure if failure and failure.culprit else None
        if planned is not None and self._broken is None:
            yield self._commit(planned.culprit)
        if failure is None and self._broken is not None:
            yield self._commit(self._broken.repair)
        self._broken = planned if failure else None

    def _commit(self, who_and_what: tuple[str, str, str] | None) -> Commit:
        login, name, title = who_and_what or _EVERYDAY[0]
        return self._repository.commit(title, login=login, author=name)

    def _job(self, name: str, failure: Failure | None) -> WorkJob:
        github = self._repository.github
        if failure is None or name not in failure.jobs:
            return github.job(name, "success", steps=self._steps)
        return github.job(
            name,
            "failure",
            steps=self._steps,
            failing_step=failure.step,
            annotation="Process completed with exit code 1.",
            annotations=failure.remarks,
            log="\n".join(_log(failure)),
        )


def web(repository: Repository) -> Workflow:
    """The tests of a web shop, on every push."""
    steps = (
        "Run actions/checkout@v5",
        "Run actions/setup-node@v5",
        "Run npm ci",
        "Run npm test",
        "Upload test results",
    )
    jobs = ("lint", "test (20)", "test (22)")
    return Workflow(repository, "ci.yml", jobs, steps, unlucky=_SLOW_RELOAD, troubles={WRONG_TYPE: _TYPE_ERROR})


def fork(repository: Repository) -> Workflow:
    """The same for the pull request of a stranger."""
    steps = ("Run actions/checkout@v5", "Run npm ci", "Run npm test")
    return Workflow(
        repository,
        "ci.yml",
        ("lint", "test (20)", "test (22)"),
        steps,
        unlucky=_SLOW_RELOAD,
        tests=False,
        event="pull_request",
        head_repository="stranger/web",
        title="Try something",
    )


def nightly(repository: Repository) -> Workflow:
    """What would change in the cloud, every night."""
    steps = ("Run actions/checkout@v5", "Run terraform init", "Run terraform plan")
    return Workflow(
        repository,
        "nightly.yml",
        ("plan",),
        steps,
        unlucky=_NO_REGISTRY,
        tests=False,
        event="schedule",
        title="Nightly",
    )


def _log(failure: Failure) -> Iterator[str]:
    """What stands around the lines that matter: the end of a log is about something else."""
    yield "Current runner version: '2.331.0'"
    yield "##[group]Runner Image"
    yield "Image: ubuntu-24.04"
    yield "##[endgroup]"
    yield f"##[group]{failure.step}"
    yield f"\x1b[36;1m{failure.step.removeprefix('Run ')}\x1b[0m"
    yield "shell: /usr/bin/bash -e {0}"
    yield "##[endgroup]"
    yield from failure.output.splitlines()
    yield "##[error]Process completed with exit code 1."
    yield "##[group]Run actions/upload-artifact@v5"
    yield "##[endgroup]"
    yield "Artifact test-results has been successfully uploaded! Final size is 412 bytes."
    yield "Post job cleanup."
    yield "[command]/usr/bin/git version"
    yield "git version 2.52.0"
    yield "[command]/usr/bin/git config --local --unset-all http.https://github.com/.extraheader"
    yield "Cleaning up orphan processes"


def _junit(failing: Mapping[str, str]) -> str:
    """A report as jest-junit writes it."""
    cases = []
    for name in _TESTS:
        message = failing.get(name)
        inner = f"><failure message={quoteattr(message)}/></testcase>" if message else "/>"
        cases.append(f'    <testcase classname="Cart" name={quoteattr(name)} time="0.021"{inner}')
    counts = f'name="jest tests" tests="{len(_TESTS)}" failures="{len(failing)}" errors="0" time="6.218"'
    suite = f'  <testsuite name="src/cart.test.ts" tests="{len(_TESTS)}" failures="{len(failing)}" errors="0">'
    lines = ('<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites {counts}>", suite, *cases, "  </testsuite>")
    return "\n".join((*lines, "</testsuites>", ""))
