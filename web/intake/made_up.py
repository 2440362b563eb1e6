"""A plausible past for demonstrations: builds that never happened, the same ones for the same seed.

Everything about a day follows from the seed and its date alone, so asking again, also on another day, tells of the
same builds again and adds only what has ended since.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

from domain.build import Outcome, Status
from domain.testreport import TestCase, TestReport, TestStatus
from domain.wall_clock import first_moment
from web.intake.bodies import REGRESSION
from web.intake.pushing import Telling
from web.site import Settings

MADE_UP: Final = "made up"
"""What has triggered these builds: so they are told from real ones."""

A_DAY: Final = 110  # regression runs
_CLOUDS: Final = ("blr-cloud4", "blr-cloud5")
_SCHEDULERS: Final = ("BLR-NSP-SCHEDULER1", "BLR-NSP-SCHEDULER2", "BLR-NSP-SCHEDULER3")
_RELEASES: Final = ("25.2", "25.3")
_MODULES: Final = ("core", "network", "storage", "ui", "upgrade")
_PEOPLE: Final = ("octocat", "ada", "grace", "linus", "margaret")
_CHANGES: Final = (
    "Retry the token refresh", "Bump the base image", "Cache the layout", "Fix a race at shutdown",
    "Validate upload size", "Drop the old endpoint", "Speed up the search index", "Log the request id",
)  # fmt: skip
_BY_TESTS: Final = "Test Failures"
_CAUSES: Final[Sequence[tuple[str, tuple[str, ...]]]] = (
    ("Stack Creation Failed", ("Helm install failed", "Heat stack timed out", "Quota of floating IPs exceeded")),
    (_BY_TESTS, ("suite smoke failed", "suite traffic failed", "suite upgrade failed")),
    ("Cloud Unreachable", ("Keystone answered 503", "No route to the jump host")),
    ("Image Pull Failed", ("registry answered 429", "manifest unknown")),
    ("Cleanup Failed", ("Volume still attached",)),
)
_SUITES: Final = ("smoke", "traffic", "storage", "upgrade")
_FUNCTIONS: Final = ("create", "delete", "resize", "failover", "restore", "migrate")
_CASES: Final = tuple((suite, f"test_{function}") for suite in _SUITES for function in _FUNCTIONS)
_FLAKY: Final = ("traffic", "test_failover")
_OFTEN: Final = (40, 30, 12, 12, 6)
_APPS: Final = ("web", "api")
_APP_RUNS: Final = 12  # a day, of each
_KILLED: Final = 0.03
_LONGEST: Final = timedelta(hours=5)


def history(now: datetime, settings: Settings, *, days: int = 7, count: int = A_DAY, seed: int = 1) -> list[Telling]:
    """What has ended by now of so many daily windows, this one included, oldest first.

    Args:
        now: aware UTC.
        settings: for the zone and the hour at which days begin, and for the addresses of logs.
        days: windows.
        count: regression runs in each, besides the runs of two applications.
        seed: another one, another past.
    """
    today = (now.astimezone(settings.zone) - _since_midnight(settings.day_starts_at)).date()
    found: list[Telling] = []
    for back in range(days):
        found += _day(today - timedelta(days=back), settings, count, seed)
    return sorted((each for each in found if _end(each) <= now), key=lambda each: (_end(each), each.external_id or ""))


def simulated(now: datetime, pipelines: Sequence[str], *, count: int, fail_rate: float, seed: str) -> list[Telling]:
    """Some runs that ended in the last hour, spread over these pipelines."""
    chance = random.Random(seed)  # noqa: S311  (nothing secret)
    failing = set(chance.sample(range(count), int(count * fail_rate + chance.random())))  # 2 or 3 of 10 at 0.25
    found = []
    for place in range(count):
        started = now - timedelta(milliseconds=chance.randrange(60_000, 3_600_000))
        lasting = timedelta(seconds=chance.randrange(5, 55))
        found.append(_run(pipelines[place % len(pipelines)], started, lasting, chance, failed=place in failing))
    return sorted(found, key=_end)


def report_of(telling: Telling) -> TestReport | None:
    """The test report that a made-up regression run leaves behind; None: it never came to its tests, or has none."""
    ran = telling.outcome is Outcome.SUCCESS or telling.bucket == _BY_TESTS
    if not ran or "module" not in telling.labels:
        return None
    chance = random.Random(telling.external_id)  # noqa: S311  (nothing secret)
    suspects = [case for case in _CASES if telling.reason == f"suite {case[0]} failed"]
    broken = chance.sample(suspects, chance.randint(1, 3)) if suspects else []
    cases = []
    for suite, name in _CASES:
        failed, duration = (suite, name) in broken, round(chance.lognormvariate(1, 0.8), 3)
        flaky = not failed and (suite, name) == _FLAKY and chance.random() < 0.15  # noqa: PLR2004
        cases.append(
            TestCase(
                suite=suite,
                name=name,
                status=TestStatus.FAILED if failed else TestStatus.PASSED,
                duration=duration,
                message=f"AssertionError: {name} expected ACTIVE, got ERROR" if failed else None,
                flaky=flaky,
            )
        )
    return TestReport(passed=len(cases) - len(broken), failed=len(broken), skipped=0, cases=tuple(cases))


def _log(cause: str, detail: str) -> str:
    return f"[stage] prepare: ok\n[stage] run\nERROR {cause}: {detail}\nFinished: FAILURE\n"


def _since_midnight(at: time) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second)


def _end(telling: Telling) -> datetime:
    if telling.finished_at is None:
        raise ValueError("everything in the past has ended")
    return telling.finished_at


def _day(day: date, settings: Settings, count: int, seed: int) -> Iterator[Telling]:
    chance = random.Random(f"{seed} {day.isoformat()}")  # noqa: S311  (nothing secret)
    start = first_moment(datetime.combine(day, settings.day_starts_at), settings.zone)
    bad = {cloud: chance.choice((0.08, 0.1, 0.12, 0.15, 0.2, 0.35)) for cloud in _CLOUDS}
    seconds = sorted(chance.sample(range(86_400), min(count, 86_400)))
    for second in seconds:
        yield _regression(start + timedelta(seconds=second), bad, settings, chance)
    for app in _APPS:
        broken = chance.random() < 0.5  # a break that somebody repairs  # noqa: PLR2004
        since = chance.randrange(_APP_RUNS)
        for place in range(_APP_RUNS):
            started = start + timedelta(seconds=7200 * place + chance.randrange(5000))
            failed = (broken and since <= place < since + 2) or chance.random() < 0.06  # noqa: PLR2004
            lasting = timedelta(seconds=chance.randrange(80, 400))
            yield _run(app, started, lasting, chance, failed=failed)


def _regression(started: datetime, bad: dict[str, float], settings: Settings, chance: random.Random) -> Telling:
    cloud = chance.choice(_CLOUDS)
    drawn = chance.random()
    outcome, word = Outcome.SUCCESS, "PASSED"
    if drawn < bad[cloud]:
        outcome, word = Outcome.FAILURE, "FAILED"
    elif drawn < bad[cloud] + _KILLED:
        outcome, word = Outcome.CANCELLED, "KILLED"
    cause, details = chance.choices(_CAUSES, _OFTEN)[0]
    detail = chance.choice(details)
    minutes = min(chance.lognormvariate(3.8, 0.4) * (0.6 if outcome is not Outcome.SUCCESS else 1), 280)
    identity = str(int(started.timestamp()))
    release, module = chance.choice(_RELEASES), chance.choice(_MODULES)
    failed = outcome is Outcome.FAILURE
    return Telling(
        pipeline=f"{REGRESSION}/{cloud}",
        within=f"{REGRESSION}/",
        status=Status.FINISHED,
        outcome=outcome,
        word=word,
        external_id=identity,
        trigger=MADE_UP,
        title=f"{release} {module} regression",
        started_at=started,
        finished_at=started + min(timedelta(seconds=round(minutes * 60)), _LONGEST),
        url=settings.log_url.replace("{id}", identity) if settings.log_url else None,
        bucket=cause if failed else None,
        reason=detail if failed else None,
        log_excerpt=_log(cause, detail) if failed else None,
        labels={"cloud": cloud, "scheduler": chance.choice(_SCHEDULERS), "release": release, "module": module},
    )


def _run(pipeline: str, started: datetime, lasting: timedelta, chance: random.Random, *, failed: bool) -> Telling:
    cause, details = chance.choices(_CAUSES[1:4], _OFTEN[1:4])[0]
    detail = chance.choice(details)
    commit = f"{chance.getrandbits(160):040x}"
    return Telling(
        pipeline=pipeline,
        status=Status.FINISHED,
        outcome=Outcome.FAILURE if failed else Outcome.SUCCESS,
        word="failure" if failed else "success",
        branch="main",
        commit=commit,
        trigger=MADE_UP,
        title=chance.choice(_CHANGES),
        actor=chance.choice(_PEOPLE),
        started_at=started.replace(microsecond=started.microsecond // 1000 * 1000),
        finished_at=(started + lasting).replace(microsecond=0),
        bucket=cause if failed else None,
        reason=detail if failed else None,
        log_excerpt=_log(cause, detail) if failed else None,
    )
