"""The Jenkins side of the demo's story: builds that look like builds, with people who change things and break them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from domain.testreport import TestCase, TestStatus
from simulator.jenkins_consoles import Scene, console
from simulator.jenkins_details import Change, Stage
from simulator.jenkins_world import Build, Job
from simulator.moments import made_up_sha

Add = Callable[[float, float, str | None], object]
"""Puts a build into the world: seconds ago, its length, the trouble that it meets."""

UNLUCKY = "an unlucky run"
_STAGES = ("Checkout", "Build", "Test", "Deploy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a trouble shows: where it stops, what is written there, which tests fail, and who brought it in."""

    stage: str
    script: str
    output: str
    exit_code: int = 1
    failing: Mapping[str, str] | None = None  # tests and their messages; None: no test was run
    culprit: tuple[str, str] | None = None  # author and title of the commit that broke it
    repair: tuple[str, str] | None = None


COMPILE_ERROR = Failure(
    stage="Build",
    script="make build",
    output="""\
python -m compileall -q src
mypy src
src/orders.py:41: error: Incompatible types in assignment (expression has type "str", variable has type "Decimal")
src/orders.py:58: note: "total" defined here
Found 1 error in 1 file (checked 214 source files)
make: *** [Makefile:8: build] Error 1
""",
    exit_code=2,
    culprit=("Ravi Nair", "Keep the currency with every price"),
    repair=("Ravi Nair", "Parse the total before it is kept"),
)
FAILING_TEST = Failure(
    stage="Test",
    script="./mvnw -B verify",
    output="""\
[INFO] Running checkout.CartTest
[ERROR] Tests run: 4, Failures: 1, Errors: 0, Skipped: 0, Time elapsed: 1.02 s <<< FAILURE! -- in checkout.CartTest
[ERROR] checkout.CartTest.totals_match -- Time elapsed: 0.25 s <<< FAILURE!
java.lang.AssertionError: expected 42.00, got 41.99
\tat checkout.CartTest.totals_match(CartTest.java:41)
\tat java.base/java.util.ArrayList.forEach(ArrayList.java:1596)

[INFO] Results:
[INFO]
[ERROR] Failures:
[ERROR]   CartTest.totals_match:41 expected 42.00, got 41.99
[ERROR] Tests run: 12, Failures: 1, Errors: 0, Skipped: 1
[INFO] BUILD FAILURE
""",
    failing={"totals_match": "java.lang.AssertionError: expected 42.00, got 41.99"},
    culprit=("Mei Tanaka", "Sum the cart in cents"),
    repair=("Mei Tanaka", "Round once, at the end"),
)
_UNLUCKY: Mapping[str, Failure] = {
    "e2e": Failure(
        stage="Test",
        script="npx playwright test",
        output="""\
Running 12 tests using 2 workers
  1) [chromium] > checkout.spec.ts:18:5 > pays by card
    TimeoutError: page.click: Timeout 30000ms exceeded.
    Call log:
      - waiting for locator('#pay-now')
  1 failed
  11 passed (41.3s)
""",
        failing={"pays_by_card": "TimeoutError: page.click: Timeout 30000ms exceeded."},
    ),
    "": Failure(
        stage="Checkout",
        script="git fetch --tags --force origin",
        output="""\
fatal: unable to access 'https://git.example.com/shop.git/': Could not resolve host: git.example.com
ERROR: Error fetching remote repo 'origin'
hudson.plugins.git.GitException: Failed to fetch from https://git.example.com/shop.git
\tat hudson.plugins.git.GitSCM.fetchFrom(GitSCM.java:1003)
\tat hudson.plugins.git.GitSCM.retrieveChanges(GitSCM.java:1245)
""",
        exit_code=128,
    ),
}
_FULL_DISK = """\
+ ./gradlew check --no-daemon
> Task :compileJava
> Task :processResources FAILED

FAILURE: Build failed with an exception.

* What went wrong:
Execution failed for task ':processResources'.
> java.io.IOException: No space left on device

BUILD FAILED in 38s
Build step 'Execute shell' marked build as failure
"""
_EVERYDAY = (
    ("Ada Moreau", "Say what went wrong when a payment is refused"),
    ("Lena Fischer", "Show the delivery date before the address"),
    ("Tom Okafor", "Keep the session for a day"),
    ("dependabot[bot]", "Bump requests from 2.34.1 to 2.34.2"),
    ("Ravi Nair", "Remove the old price list"),
    ("Mei Tanaka", "Read the tax table once"),
)
_TESTS = {
    "checkout.CartTest": ("adds_an_item", "removes_an_item", "totals_match", "survives_a_reload"),
    "checkout.PaymentTest": ("pays_by_card", "pays_by_invoice", "refuses_an_expired_card"),
    "checkout.MailTest": ("confirms_the_order", "speaks_the_language_of_the_customer"),
    "checkout.StockTest": ("reserves", "gives_back", "counts_to_zero"),
}
_LEFT_OUT = "counts_to_zero"


def pipeline(job: Job) -> Add:
    """Builds of a pipeline job: whoever breaks it is among the changes of the first build that fails."""
    before: Failure | None = None
    commit = made_up_sha(job.remote, "the first")

    def add(ago: float, length: float, cause: str | None) -> object:
        nonlocal before, commit
        failure = _failure(job, cause)
        made = job.build(
            "FAILURE" if failure else "SUCCESS",
            started_ago=ago,
            duration=length,
            queued_for=0.2,
            stages=_stages(failure),
            tests=_tests(failure),
            artifacts=_artifacts(failure),
            log="",
        )
        made.changes = _changes(job, made.number, failure, before)
        made.commit = commit = made.changes[0].commit if made.changes else commit
        before = failure
        made.log = console(_scene(made, failure)).encode()
        return made

    return add


def matrix(job: Job) -> Add:
    """Builds of a matrix: the disk of one configuration's agent is full."""

    def add(ago: float, length: float, cause: str | None) -> object:
        broken = next(reversed(job.configurations))
        cells = {name: "FAILURE" if cause and name == broken else "SUCCESS" for name in job.configurations}
        result = "FAILURE" if cause else "SUCCESS"
        made = job.build(result, started_ago=ago, duration=length, trigger="timer", cells=cells)
        made.changes = _changes(job, made.number, None, None)
        for run in made.runs:
            system = run.job.name.partition(",")[0].removeprefix("os=")
            run.built_on = f"{system}-agent"
            if run.result == "FAILURE":
                where = f"{run.built_on} ({system}) in workspace /var/jenkins/workspace/{run.job.name}"
                run.log = f"Building remotely on {where}\n{_FULL_DISK}Finished: FAILURE\n".encode()
        return made

    return add


def _failure(job: Job, cause: str | None) -> Failure | None:
    if cause is None:
        return None
    if cause == UNLUCKY:
        return _UNLUCKY.get(job.name, _UNLUCKY[""])
    return COMPILE_ERROR if "compile" in cause else FAILING_TEST


def _changes(job: Job, number: int, failure: Failure | None, before: Failure | None) -> list[Change]:
    """Newest first. An unlucky run and what follows it are nobody's doing."""
    story: list[tuple[str, str] | None] = []
    if failure is not None and failure is not before:
        story.append(failure.culprit)
    if failure is None and before is not None:
        story.append(before.repair)
    told = [each for each in story if each is not None]
    everyday = [_EVERYDAY[(number + step) % len(_EVERYDAY)] for step in range(number % 3 if not told else 1)]
    return [_change(job, number, *each) for each in (*everyday, *told)]


def _change(job: Job, number: int, author: str, title: str) -> Change:
    login = author if author.endswith("[bot]") else author.split(maxsplit=1)[0].lower()
    return Change(commit=made_up_sha(job.remote, number, title), author=author, message=title, login=login)


def _stages(failure: Failure | None) -> list[Stage]:
    """What comes after the one that failed is not reached."""
    stages: list[Stage] = []
    for name in _STAGES:
        if failure is not None and name == failure.stage:
            words = f"script returned exit code {failure.exit_code}"
            log = f"+ {failure.script}\n{failure.output}"
            return [*stages, Stage(name=name, status="FAILED", error=words, script=failure.script, log=log)]
        stages.append(Stage(name=name))
    return stages


def _tests(failure: Failure | None) -> list[TestCase]:
    if failure is not None and failure.failing is None:
        return []
    failing = failure.failing if failure is not None and failure.failing else {}
    return [_test(suite, name, failing.get(name)) for suite, names in _TESTS.items() for name in names]


def _test(suite: str, name: str, message: str | None) -> TestCase:
    status = TestStatus.FAILED if message else TestStatus.SKIPPED if name == _LEFT_OUT else TestStatus.PASSED
    return TestCase(suite=suite, name=name, status=status, duration=0.25, message=message)


def _artifacts(failure: Failure | None) -> dict[str, bytes]:
    passed = b'{"totals": {"coverage": 87.4, "warnings": 3}}\n'
    return {} if failure is not None and failure.failing is None else {"reports/summary.json": passed}


def _scene(made: Build, failure: Failure | None) -> Scene:
    stop: Sequence[str] = () if failure is None else (failure.stage, failure.script, failure.output)
    return Scene(
        job=made.job.full_name,
        remote=made.job.remote,
        commit=made.commit or "",
        title=made.changes[0].message if made.changes else "",
        stages=_STAGES,
        stop=tuple(stop),
        exit_code=failure.exit_code if failure is not None else 0,
    )
