"""What GitHub tells about a run that failed: jobs, steps, reasons, logs, changes."""

from datetime import timedelta
from typing import Any

import pytest

from domain.build import Outcome
from domain.details import Details
from providers._base import Refused, TellsDetails, Trouble, Unavailable, Wanted
from providers._github.quota import Quota
from simulator import faults
from simulator.github_quota import Identity
from tests.support.github_scene import NOTHING, Scene

TIMED_OUT = "The job running on runner agent-7 has exceeded the maximum execution time of 360 minutes."
JOBS = "*/attempts/*/jobs"
LOGS = "*/actions/jobs/*/logs"
ANNOTATIONS = "*/annotations"
STORED = "/actions-results/*"


def paths(scene: Scene) -> list[str]:
    return [request.path.removeprefix("/repos/acme/web/") for request in scene.server.requests]


def test_github_is_a_provider_that_tells_details(scene: Scene) -> None:
    assert isinstance(scene.github, TellsDetails)


def test_jobs_are_stages_and_the_first_that_failed_is_named_with_its_step(scene: Scene) -> None:
    found = scene.failed(
        scene.job("lint", "success"),
        scene.job("test (3.12)", failing_step="Run tests", steps=["Checkout", "Run tests"]),
        scene.job("deploy", "skipped"),
    )
    assert [(each.name, each.outcome, each.step) for each in found.stages] == [
        ("lint", Outcome.SUCCESS, None),
        ("test (3.12)", Outcome.FAILURE, "Run tests"),
        ("deploy", Outcome.SKIPPED, None),
    ]
    assert found.failing_stage == "test (3.12): Run tests"
    assert found.stages[1].duration == timedelta(seconds=29)
    assert str(found.stages[1].url).startswith("https://github.com/acme/web/actions/runs/")
    assert (found.outcome, found.notes) == (None, ())


def test_of_several_jobs_the_one_that_failed_first_comes_first(scene: Scene) -> None:
    late, early = scene.job("gate"), scene.job("unit")
    now = scene.clock()
    late.completed_at, early.completed_at = now + timedelta(seconds=50), now + timedelta(seconds=40)
    found = scene.failed(late, scene.job("cut", "cancelled"), early)
    assert found.failing_stage == "unit: Run make unit"
    assert [log.name for log in found.logs] == ["unit", "gate", "cut"]


def test_a_run_whose_file_is_broken_has_no_jobs_and_still_a_reason(scene: Scene) -> None:
    found = scene.details(scene.run("startup_failure"))
    assert found == Details(reason="GitHub could not start the workflow: its file is not valid")


def test_a_run_of_which_no_jobs_are_listed_says_so(scene: Scene) -> None:
    run = scene.run("failure")
    run.attempts[0].jobs = []
    assert scene.details(run).notes == ("jobs: GitHub lists none",)


def test_many_jobs_are_read_to_the_end(scene: Scene) -> None:
    jobs = [scene.job(f"test {number}", "success") for number in range(120)]
    found = scene.failed(*jobs, scene.job("last"))
    assert len(found.stages) == 121
    assert found.failing_stage == "last: Run make last"


def test_jobs_of_an_earlier_attempt_are_its_own(scene: Scene) -> None:
    run = scene.run("failure", scene.job("lint", "success"), scene.job("test"))
    first = scene.build(run)
    scene.clock.advance(60)
    run.rerun("failure", failed_only=True)
    second = scene.build(run)
    found = scene.github.details(second, Wanted())
    assert [(each.name, each.outcome) for each in found.stages] == [
        ("lint", Outcome.SUCCESS),
        ("test", Outcome.FAILURE),
    ]
    assert found.stages[0].duration == timedelta(seconds=30)
    assert scene.github.details(first, Wanted()).stages[0].url != found.stages[0].url


def test_a_server_that_counts_no_attempts_lists_the_jobs_of_the_run(scene: Scene) -> None:
    run = scene.run()
    build = scene.build(run)
    scene.server.fault(faults.answer(404), path=JOBS)
    assert scene.github.details(build, Wanted()).failing_stage == "test: Run make test"


@pytest.mark.parametrize(
    ("changes", "runner"),
    [
        ({"runner": "agent-7"}, "agent-7"),
        ({"runner": "GitHub Actions 12", "runner_group": "GitHub Actions", "labels": ("macos-14",)}, "macos-14"),
        ({"runner": "GitHub Actions 12", "runner_group": "GitHub Actions", "labels": ()}, "GitHub Actions 12"),
        ({"runner": "", "runner_group": "Large ones", "labels": ()}, "Large ones"),
    ],
)
def test_the_machine_of_the_job_that_failed_is_a_label(scene: Scene, changes: dict[str, Any], runner: str) -> None:
    job = scene.job()
    for name, value in ({"runner_group": "Default"} | changes).items():
        setattr(job, name, value)
    assert scene.failed(scene.job("lint", "success"), job).labels == {"runner": runner}


def test_a_job_that_found_no_machine_has_no_label(scene: Scene) -> None:
    found = scene.failed(scene.job(begun=False, annotation="The job was not acquired by Runner of type hosted"))
    assert found.labels == {}
    assert (found.outcome, found.reason) == (Outcome.ERROR, "The job was not acquired by Runner of type hosted")
    assert found.logs == ()  # nothing was asked for
    assert not [path for path in paths(scene) if path.endswith("/logs")]


def test_a_remark_of_the_runner_is_the_reason(scene: Scene) -> None:
    found = scene.failed(
        scene.job(annotations=[{"message": "expected 42, got 41", "path": "tests/cart.ts", "line": 12}])
    )
    assert (found.reason, found.outcome) == ("tests/cart.ts:12: expected 42, got 41", None)


def test_a_job_that_took_too_long_is_a_timeout(scene: Scene) -> None:
    found = scene.failed(scene.job(annotations=[{"message": TIMED_OUT}]))
    assert (found.outcome, found.reason) == (Outcome.TIMEOUT, TIMED_OUT)


def test_a_cancelled_run_that_took_too_long_is_a_timeout(scene: Scene) -> None:
    jobs = scene.job("lint", "success"), scene.job("test", "cancelled", annotations=[{"message": TIMED_OUT}])
    found = scene.details(scene.run("cancelled", *jobs))
    assert (found.outcome, found.reason, found.failing_stage) == (Outcome.TIMEOUT, TIMED_OUT, "test: Run make test")


def test_a_run_of_which_a_job_found_no_machine_for_a_day_is_an_error(scene: Scene) -> None:
    run = scene.run("cancelled", scene.job("gpu", "cancelled", begun=False), duration=timedelta(hours=25))
    run.attempts[0].jobs[0].completed_at = scene.clock()
    run.attempts[0].requested_at = scene.clock() - timedelta(hours=25)
    found = scene.details(run)
    assert (found.outcome, found.reason) == (Outcome.ERROR, "no runner has taken gpu for 25 h")


def test_what_a_person_cancelled_stays_cancelled(scene: Scene) -> None:
    jobs = scene.job("test", "cancelled", annotation="The run was canceled by @ada.")
    assert scene.details(scene.run("cancelled", jobs), log_bytes=0).outcome is None


def test_a_lost_machine_is_an_error(scene: Scene) -> None:
    lost = "The self-hosted runner: agent-7 lost communication with the server. Verify the machine is running."
    found = scene.failed(scene.job(annotations=[{"message": lost}], runner="agent-7"))
    assert (found.outcome, found.reason) == (Outcome.ERROR, lost)


def test_an_exit_code_is_a_reason_only_where_there_is_no_log(scene: Scene) -> None:
    assert scene.failed(scene.job()).reason is None
    job = scene.job()
    job.log_state = "expired"
    assert scene.failed(job).reason == "Process completed with exit code 2."


def test_the_job_that_says_more_gives_the_reason(scene: Scene) -> None:
    found = scene.failed(scene.job("a"), scene.job("b", annotations=[{"message": "No space left on device"}]))
    assert found.failing_stage == "a: Run make a"
    assert found.reason == "No space left on device"


def test_remarks_are_asked_for_once_and_of_a_few_jobs(scene: Scene) -> None:
    run = scene.run("cancelled", *(scene.job(f"test {number}", "cancelled") for number in range(6)))
    build = scene.build(run)
    scene.server.forget()
    scene.github.details(build, Wanted())
    assert len(scene.server.asked(ANNOTATIONS)) == 3


def test_remarks_that_the_token_may_not_read_are_a_note(scene: Scene) -> None:
    build = scene.build(scene.run("failure", scene.job("a"), scene.job("b")))
    scene.server.fault(faults.answer(403), path=ANNOTATIONS)
    scene.server.forget()
    found = scene.github.details(build, Wanted())
    assert found.notes == ("annotations: not permitted (403): the token needs Checks: read",)
    assert (found.failing_stage, len(found.logs)) == ("a: Run make a", 2)
    assert len(scene.server.asked(ANNOTATIONS)) == 1


# ---- logs


def test_a_log_keeps_its_times_and_loses_its_byte_order_mark(scene: Scene) -> None:
    (log,) = scene.failed(scene.job(log="one\n\x1b[31merror: two\x1b[0m")).logs
    assert log.text == "2026-11-21T10:00:00.0000000Z one\n2026-11-21T10:00:00.0370000Z \x1b[31merror: two\x1b[0m\n"
    assert (log.name, log.whole) == ("test", True)
    assert str(log.url).startswith("https://github.com/acme/web/actions/runs/")


@pytest.mark.parametrize("ranges", ["azure", "full", "none"])
def test_of_a_long_log_only_the_end_is_read(scene: Scene, ranges: str) -> None:
    scene.server.storage.ranges = ranges
    lines = "".join(f"line {number:07} ä\n" for number in range(50_000)).encode()
    (log,) = scene.failed(scene.job(log=lines), log_bytes=1001).logs
    assert not log.whole
    assert 900 < len(log.text.encode()) <= 1001
    assert log.text.startswith("line 00")  # a whole line
    assert log.text.endswith("line 0049999 ä\n")


def test_the_bytes_are_shared_by_the_jobs_that_failed_first(scene: Scene) -> None:
    jobs = [scene.job(f"test {number}", log=b"x" * 99 + b"\n" * 100_000) for number in range(5)]
    logs = scene.failed(*jobs, log_bytes=8000).logs
    assert [(log.name, len(log.text)) for log in logs] == [("test 0", 3999), ("test 1", 1999), ("test 2", 2001)]
    assert sum(len(log.text) for log in logs) <= 8000


def test_what_a_short_log_leaves_is_for_the_next(scene: Scene) -> None:
    jobs = scene.job("short", log=b"short\n"), scene.job("long", log=b"long log\n" * 1000)
    short, long = scene.failed(*jobs, log_bytes=2000).logs
    assert short.whole
    assert 1900 < len(long.text) < 2000


def test_credentials_never_reach_the_storage(scene: Scene) -> None:
    scene.failed(scene.job())
    assert scene.server.storage.requests
    for request in scene.server.storage.requests:
        assert "authorization" not in request.headers


@pytest.mark.parametrize(("state", "status"), [("expired", 410), ("lost", 404)])
def test_a_log_that_is_gone_is_a_note(scene: Scene, state: str, status: int) -> None:
    job = scene.job("test (3.12)")
    job.log_state = state
    found = scene.failed(job)
    assert found.logs == ()
    assert found.notes == (f"log of test (3.12): gone ({status})",)
    assert found.later is (status == 404)  # right after the end of a run it is not there yet


def test_a_log_that_the_token_may_not_read_is_a_note(scene: Scene) -> None:
    build = scene.build(scene.run())
    scene.server.fault(faults.answer(403), path=LOGS)
    found = scene.github.details(build, Wanted())
    assert found.notes == ("log of test: not permitted (403): the token needs Actions: read",)
    assert not found.later


def test_an_empty_log_is_none(scene: Scene) -> None:
    for ranges in ("azure", "full"):
        scene.server.storage.ranges = ranges
        found = scene.failed(scene.job(log=b"\xef\xbb\xbf"))
        assert (found.logs, found.notes) == ((), ())


def test_no_log_is_asked_for_when_none_is_wanted(scene: Scene) -> None:
    assert scene.failed(scene.job(), log_bytes=0).logs == ()
    assert not scene.server.asked(LOGS)


# ---- what is asked for


def test_nothing_is_asked_for_when_nothing_is_wanted(scene: Scene) -> None:
    build = scene.build(scene.run())
    scene.server.forget()
    assert scene.github.details(build, NOTHING) == Details()
    assert scene.server.requests == []


def test_a_build_that_passed_costs_one_request(scene: Scene) -> None:
    build = scene.build(scene.run("success"))
    scene.server.forget()
    found = scene.github.details(build, Wanted())
    assert [each.outcome for each in found.stages] == [Outcome.SUCCESS, Outcome.SUCCESS]
    assert (found.failing_stage, found.labels, found.notes) == (None, {"runner": "ubuntu-latest"}, ())
    assert len(scene.server.requests) == 1


def test_a_job_that_was_allowed_to_fail_explains_nothing(scene: Scene) -> None:
    found = scene.details(scene.run("success", scene.job("test", "success"), scene.job("nightly build of Node")))
    assert [each.outcome for each in found.stages] == [Outcome.SUCCESS, Outcome.FAILURE]
    assert (found.failing_stage, found.reason, found.logs) == (None, None, ())


def test_the_machine_that_worked_longest_is_that_of_a_build_that_passed(scene: Scene) -> None:
    short, long = scene.job("lint", "success", runner="agent-1"), scene.job("test", "success", runner="agent-2")
    short.completed_at = scene.clock() + timedelta(seconds=35)
    assert scene.details(scene.run("success", short, long)).labels == {"runner": "agent-2"}


def test_logs_alone_need_the_jobs_and_tell_no_stages(scene: Scene) -> None:
    found = scene.failed(scene.job(), stages=False)
    assert (found.stages, found.failing_stage, found.reason, len(found.logs)) == ((), None, None, 1)


def test_a_failure_costs_few_requests(scene: Scene) -> None:
    good = scene.build(scene.run("success"))
    build = scene.build(scene.run())
    scene.server.forget()
    scene.github.details(build, Wanted(since=good))
    assert len(scene.server.requests) == 4  # jobs, log, annotations, changes


# ---- trouble


def test_when_the_jobs_cannot_be_read_now_it_is_tried_later(scene: Scene) -> None:
    build = scene.build(scene.run())
    scene.server.fault(faults.answer(422), path=JOBS)
    with pytest.raises(Unavailable, match="422"):
        scene.github.details(build, Wanted())


def test_jobs_that_the_token_may_not_read_are_a_note_and_the_changes_are_told(scene: Scene) -> None:
    good = scene.build(scene.run("success"))
    build = scene.build(scene.run())
    scene.server.fault(faults.answer(403), path=JOBS)
    found = scene.github.details(build, Wanted(since=good))
    assert found.notes == ("jobs: not permitted (403): the token needs Actions: read",)
    assert found.changes is not None
    assert found.changes.total == 1


def test_each_permission_that_is_missing_is_named(scene: Scene) -> None:
    good = scene.build(scene.run("success"))
    build = scene.build(scene.run())
    scene.server.tokens["github-token"] = Identity(login="bot", kind="fine_grained", checks=False, contents=False)
    found = scene.github.details(build, Wanted(since=good))
    assert found.notes == (
        "annotations: not permitted (403): the token needs Checks: read",
        "changes: not permitted (403): the token needs Contents: read",
    )
    assert len(found.logs) == 1


def test_a_wrong_token_is_an_error(scene: Scene) -> None:
    build = scene.build(scene.run())
    scene.server.tokens = {"another": Identity(login="ada")}
    with pytest.raises(Refused, match="401"):
        scene.github.details(build, Wanted())


def test_what_is_left_of_the_rate_limit_is_for_polling(scene: Scene) -> None:
    build = scene.build(scene.run())
    scene.server.limit = 60
    meter = next(iter(scene.server.meters.values()))
    meter.used = 20
    scene.build(scene.run())
    scene.server.forget()
    for ask in (
        lambda: scene.github.details(build, Wanted()),
        lambda: scene.github.artifacts(build),
    ):
        with pytest.raises(Unavailable) as caught:
            ask()
        assert (caught.value.trouble, caught.value.retry_after) == (Trouble.PACED, 300.0)
        assert not caught.value.provider_wide
    assert scene.server.requests == []


def test_many_failures_at_once_leave_a_part_of_each_minute_for_polling() -> None:
    now = [0.0]
    quota = Quota(limited=True, clock=lambda: now[0])
    for _ in range(599):
        quota.spend()
    assert quota.room_in() == 0
    now[0] = 20.0
    quota.spend()
    assert quota.room_in() == 40.0
    for _ in range(300):
        quota.spend()  # polls go on
    now[0] = 59.0
    assert not quota.has_room()
    now[0] = 60.0  # 301 in the last minute
    assert quota.has_room()


def test_a_server_without_limits_always_has_room() -> None:
    quota = Quota(limited=False)
    for _ in range(1000):
        quota.spend()
    assert quota.has_room()


def test_a_rate_limit_in_the_middle_is_a_note(scene: Scene) -> None:
    build = scene.build(scene.run())
    scene.server.fault(faults.rate_limited(30), path=LOGS)
    found = scene.github.details(build, Wanted())
    assert found.failing_stage == "test: Run make test"
    assert found.notes[0].startswith("log of test: GitHub's rate limit is reached")
    assert found.later


def test_polling_asks_for_no_more_than_before(scene: Scene) -> None:
    scene.build(scene.run("success"))
    scene.server.forget()
    run = scene.run()
    scene.build(run)
    assert paths(scene) == ["actions/runs", f"actions/runs/{run.id}/attempts/1/jobs"]
