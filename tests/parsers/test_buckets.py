"""From logs to why a build failed: ten common causes and more, in three formats of logs."""

import time
from collections.abc import Callable

import pytest
import regex

from domain.details import Log
from parsers.buckets import classify, explain
from parsers.builtin_rules import builtin_rules
from parsers.rules import Bucket, BucketRule, Place, named_groups
from tests.support.failed_logs import FAILED_LOGS, FORMATS, FailedLog

Format = Callable[[FailedLog], str]


def _log(text: str, name: str | None = None) -> Log:
    return Log(name=name, text=text, whole=True)


def _bucket(*lines: str, rules: tuple[BucketRule, ...] | None = None, **how: str | None) -> Bucket | None:
    logs = [_log("\n".join(lines))] if lines else []
    return explain(
        builtin_rules() if rules is None else rules,
        provider=how.get("provider") or "ci",
        job=how.get("job") or "web/deploy",
        stage=how.get("stage"),
        logs=logs,
        reason=how.get("reason"),
    ).bucket


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("log", FAILED_LOGS, ids=lambda log: log.name)
def test_the_bucket_is_found_and_the_excerpt_holds_the_cause(log: FailedLog, form: Format) -> None:
    found = explain(builtin_rules(), provider="ci", job="web", stage=None, logs=[_log(form(log), "build")])
    assert found.bucket is not None
    assert found.bucket.reason == log.bucket
    assert found.excerpt is not None
    assert any(log.cause.strip()[:250] in line for line in found.excerpt.lines)
    assert found.excerpt.cause is not None
    assert len(found.excerpt.lines) <= 15
    assert "\x1b" not in found.excerpt.text
    assert found.excerpt.log == "build"


def test_a_detail_says_what_is_particular() -> None:
    assert _bucket("./run.sh: line 3: helm: command not found") == Bucket(
        reason="Missing Tool", detail="helm", kind="env", rule="Missing Tool"
    )
    told = _bucket("Error: INSTALLATION FAILED: timed out waiting for the condition")
    assert told is not None
    assert (told.reason, told.detail) == (
        "Stack Creation Failed",
        "Helm install failed: timed out waiting for the condition",
    )


def test_a_failure_that_no_rule_knows_has_a_signature_of_its_own() -> None:
    assert _bucket("step", "Error: 17 geese are loose", "exit code 3") == Bucket(reason="Error: <n> geese are loose")
    assert _bucket(reason="The goose of 2026-11-21 is loose") == Bucket(reason="The goose of <time> is loose")
    assert _bucket("make: *** [all] Error 2", reason="Goose loose") == Bucket(reason="Goose loose")
    assert _bucket("make: *** [all] Error 2") == Bucket(reason="make: *** [all] Error <n>")
    assert _bucket("fine") is None
    assert _bucket() is None


def test_the_words_of_the_provider_count_when_the_log_says_nothing_surer() -> None:
    words = "The job running on runner r-7 has exceeded the maximum execution time of 360 minutes."
    told = _bucket("curl: (7) Failed to connect to x", "exit code 1", reason=words)
    assert told is not None
    assert told.reason == "Timeout"
    told = _bucket("E   assert 1 == 2", reason="permission denied somewhere")
    assert told is not None
    assert told.reason == "Test Failed"


def test_of_several_logs_the_one_that_says_most_counts() -> None:
    logs = [
        _log("make: *** [all] Error 2", "a"),
        _log("src/a.c:3:1: error: bad", "b"),
        _log("src/b.c:3:1: error: bad", "c"),
    ]
    found = explain(builtin_rules(), provider="ci", job="x", stage=None, logs=logs)
    assert found.bucket is not None
    assert (found.bucket.reason, found.bucket.detail) == ("Compile Error", "src/a.c")
    assert found.excerpt is not None
    assert found.excerpt.log == "b"


OWN = BucketRule(name="Goose", kind="env", detail="{which}", regex=regex.compile("(?m)^goose (?P<which>\\w+)"))


def test_a_rule_of_ones_own_wins_anywhere_in_the_log_and_the_excerpt_shows_its_line() -> None:
    lines = [
        "goose early",
        *["honk"] * 30,
        *(f"line {n}" for n in range(50)),
        "goose late",
        "E   assert 1 == 2",
        "goose after",
    ]
    found = explain((OWN, *builtin_rules()), provider="ci", job="x", stage=None, logs=[_log("\n".join(lines))])
    assert found.bucket == Bucket(reason="Goose", detail="late", kind="env", rule="Goose")
    assert found.excerpt is not None
    assert found.excerpt.first_error == "goose late"


def test_the_first_rule_that_matches_wins() -> None:
    first = BucketRule(name="First", kind="env", contains=("goose",))
    assert _bucket("goose early", rules=(first, OWN)) == Bucket(reason="First", kind="env", rule="First")
    assert _bucket("goose early", rules=(OWN, first)) == Bucket(
        reason="Goose", detail="early", kind="env", rule="Goose"
    )


def test_all_that_a_rule_says_must_hold() -> None:
    both = BucketRule(name="Both", kind="env", contains=("swan", "duck"), regex=regex.compile("goose"))
    assert _bucket("goose", rules=(both,)) is None
    assert _bucket("goose", "DUCK", rules=(both,)) is not None
    assert _bucket("duck", rules=(both,)) is None


@pytest.mark.parametrize(
    ("places", "matches"),
    [
        ({"provider": "c*"}, True),
        ({"provider": "d*"}, False),
        ({"job": "web/**"}, True),
        ({"job": "web"}, False),
        ({"stage": "Dep*"}, True),
        ({"stage": "Test"}, False),
    ],
)
def test_a_rule_may_be_for_certain_builds_only(places: dict[str, str], matches: bool) -> None:  # noqa: FBT001
    rule = BucketRule(name="R", kind="env", contains=("boom",), **places)  # type: ignore[arg-type]
    assert (
        _bucket("all went boom", rules=(rule,), stage="Deploy") == Bucket(reason="R", kind="env", rule="R")
    ) is matches


def test_a_rule_looks_where_it_says() -> None:
    def rule(*where: Place) -> tuple[BucketRule, ...]:
        return (BucketRule(name="R", kind="env", contains=("boom",), where=where),)

    for_stage = _bucket("quiet", stage="Boom", reason="calm", rules=rule(Place.STAGE))
    for_reason = _bucket("quiet", stage="x", reason="BOOM", rules=rule(Place.REASON))
    assert for_stage == for_reason == Bucket(reason="R", kind="env", rule="R")
    elsewhere = _bucket("quiet", stage="Boom", reason="calm", rules=rule(Place.LOG, Place.REASON))
    assert elsewhere == Bucket(reason="calm")


def test_an_expression_that_takes_too_long_is_a_note_and_the_next_rule_is_tried() -> None:
    slow = BucketRule(name="Slow", kind="env", regex=regex.compile("(a|aa)+$"))
    next_ = BucketRule(name="Next", kind="env", contains=("aab",))
    found = explain((slow, next_), provider="ci", job="x", stage=None, logs=[_log("a" * 1_900 + "b")])
    assert found.bucket == Bucket(reason="Next", kind="env", rule="Next")
    assert found.notes == ('bucket rule "Slow": its regex took longer than 50 ms',)


def test_secrets_do_not_get_into_names() -> None:
    rule = BucketRule(name="R", kind="env", regex=regex.compile("(?P<all>.*)"), detail="{all}")
    told = _bucket("password=hunter2hunter", rules=(rule,))
    assert told is not None
    assert told.detail == "password=[redacted]"
    told = _bucket("Error: bad password=hunter2hunter given", rules=())
    assert told is not None
    assert "hunter2" not in told.reason


@pytest.mark.parametrize(
    "text",
    [
        "all tests passed\n0 errors, 0 warnings\nFinished: SUCCESS",
        "INFO connection refused, retrying in 5s\nINFO connected\nok 1 - permission denied is handled",
        "tests/test_timeout.py::test_out_of_memory PASSED\n====== 12 passed in 3s ======",
        "-- Looking for pthread.h - not found\n-- Configuring done",
        "##[warning]You are running out of disk space. The runner will stop working when the machine runs out.",
        "Unable to find image 'alpine:3.20' locally\n3.20: Pulling from library/alpine\nStatus: Downloaded newer image",
    ],
)
def test_no_builtin_rule_hits_what_passed(text: str) -> None:
    assert classify(builtin_rules(), provider="ci", job="x", stage=None, logs=[_log(text)]) is None


def test_groups_of_a_detail_are_named() -> None:
    assert named_groups("{a} and {b}") == {"a", "b"}
    with pytest.raises(ValueError, match="only names"):
        named_groups("{a!r}")


HOSTILE = {
    "blank lines": "\n" * (1 << 20),
    "one line": "error " * (1 << 17),
    "escapes": "\x1b]" * (1 << 19),
    "notes": "\x1b[8mha:" * (1 << 17),
    "progress": "a\r" * (1 << 19),
    "errors": "error\n" * (1 << 17),
    "blank lines with spaces": " \n" * (1 << 19),
    "distinct errors": "\n".join(
        f"{n} error: expected assert failed deploy stack coverage timed out" for n in range(14_000)
    ),
    "tracebacks": "Traceback (most recent call last):\n" * 30_000,
    "java": "java.lang.Error: x\n\tat a.b(c)\nCaused by: y\n" * 20_000,
    "passwords": "password=" * 110_000,
    "urls": "http://a:" * 110_000,
    "keys": "-----BEGIN PRIVATE KEY-----\n" * 37_000,
    "spaces": (" " * 500 + "error\n") * 2_000,
    "names": ("A" * 3_000 + "Error\n") * 340,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_megabyte_takes_little_time(text: str) -> None:
    builtin_rules()
    began = time.process_time()
    explain(builtin_rules(), provider="ci", job="x", stage=None, logs=[_log(text)])
    assert time.process_time() - began < 5  # seconds of a slow and busy machine; 0.5 on an idle one
