"""The cause is what a person would point at."""

from domain.details import Log
from parsers.causes import causes
from parsers.logs import lines_of
from parsers.weights import bare


def _cause(*lines: str) -> str | None:
    found = causes(lines)
    return lines[found[0].index] if found else None


def test_the_end_of_the_story_is_the_cause_only_when_nothing_else_is_known() -> None:
    assert _cause("step 1", "Error: no such host", "make: *** [all] Error 2", "exit code 2") == "Error: no such host"
    assert _cause("step 1", "make: *** [all] Error 2", "exit code 2") == "make: *** [all] Error 2"
    assert _cause("step 1", "step 2") is None


def test_that_it_failed_is_no_cause() -> None:
    assert _cause("deploying", "Build step 'Execute shell' marked build as failure", "Finished: FAILURE") is None
    missing = "make: *** No rule to make target 'x'.  Stop."
    assert _cause("+ make", missing, "Finished: FAILURE") == missing


def test_what_was_tried_again_and_went_well_is_no_cause() -> None:
    lines = ["curl: (6) Could not resolve host: x", "Retrying in 5s", "fetched", "Error: wrong colour"]
    assert _cause(*lines) == "Error: wrong colour"


def test_the_last_of_many_tries_is_the_cause() -> None:
    lines = ["curl: (6) Could not resolve host: x", "Retrying in 5s", "curl: (6) Could not resolve host: x again"]
    assert _cause(*lines) == "curl: (6) Could not resolve host: x again"
    tired = "ConnectionError: Max retries exceeded with url: /x"
    assert _cause(tired, "Retrying (Retry 5/5)", "Error: gave up") == tired


def test_what_a_shell_went_on_after_is_a_lesser_cause() -> None:
    assert _cause("+ git describe", "fatal: odd", "+ true", "+ make", "Error: bad") == "Error: bad"
    assert _cause("+ a", "Error: early", "+ b", "Error: late", "+ exit 1") == "Error: late"


def test_what_comes_after_the_failed_step_is_no_cause() -> None:
    lines = [
        "##[group]Run make",
        "error: never run",
        "##[endgroup]",
        "Error: bad",
        "##[error]Process completed with exit code 2.",
    ]
    assert _cause("##[group]Run x", "Error: before", "ok", *lines, "AssertionError: later") == "Error: bad"
    assert (
        _cause("Error: bad", "Build step 'Execute shell' marked build as failure", "AssertionError: x") == "Error: bad"
    )
    assert (
        _cause("##[group]Run a", "##[error]Unable to do it", "##[group]Run b", "E   assert 1 == 2")
        == "##[error]Unable to do it"
    )


def test_when_the_failed_step_says_nothing_the_rest_is_asked() -> None:
    lines = ["Error: bad", "##[group]Run make", "##[endgroup]", "##[error]Process completed with exit code 2."]
    assert _cause(*lines) == "Error: bad"


def test_what_jenkins_says_at_the_very_end_counts_when_nothing_else_does() -> None:
    lines = ["exit code 1", "[Pipeline] { (Declarative: Post Actions)", "fatal: cleaning", *["done"] * 9]
    assert _cause(*lines, "ERROR: no goose today", "Finished: FAILURE") == "ERROR: no goose today"


def test_of_a_python_traceback_it_is_the_exception() -> None:
    lines = [
        "Traceback (most recent call last):",
        '  File "a.py", line 1, in f',
        "    error()",
        "shop.CartError: empty",
    ]
    assert _cause(*lines) == "shop.CartError: empty"
    logged = [f"(worker pid=3) ERROR 11-21 09:00:00 [core.py:9] {line}" for line in lines]
    assert _cause(*logged) == logged[-1]
    assert (
        _cause("Traceback (most recent call last):", '  File "a.py", line 1, in f')
        == "Traceback (most recent call last):"
    )
    assert _cause("x: Traceback (most recent call last):", "y") == "x: Traceback (most recent call last):"


def test_of_a_chain_of_tracebacks_it_is_the_first() -> None:
    first = ["Traceback (most recent call last):", '  File "a.py", line 1', "KeyError: 'a'"]
    second = ["", "During handling of the above exception, another exception occurred:", ""]
    assert _cause(*first, *second, *first[:-1], "RuntimeError: b") == "KeyError: 'a'"


def test_a_command_that_failed_is_no_cause_even_as_an_exception() -> None:
    lines = ["Error: bad", "Traceback (most recent call last):", '  File "a.py", line 1']
    assert _cause(*lines, "subprocess.CalledProcessError: Command 'x' returned non-zero exit status 1.") == "Error: bad"


def test_the_prefix_of_a_parallel_branch_does_not_hide_a_cause() -> None:
    assert _cause("[unit] + make", "[unit] E   assert 1 == 2", "[lint] done") == "[unit] E   assert 1 == 2"


def test_of_a_java_trace_it_is_the_deepest_cause() -> None:
    lines = [
        'Exception in thread "main" java.lang.IllegalStateException: outer',
        "\tat a.B.c(B.java:1)",
        "Caused by: java.io.IOException: middle",
        "\tat a.B.d(B.java:2)",
        "Caused by: java.net.UnknownHostException: deepest",
        "\t... 12 more",
        "after",
    ]
    assert _cause(*lines) == "Caused by: java.net.UnknownHostException: deepest"
    assert _cause(*lines[:2], "after") == lines[0]


def test_words_of_trouble_that_mean_none_are_passed_over() -> None:
    quiet = [
        "finished with 0 errors",
        "Failures: 0, Errors: 0",
        "warning: error in the comment",
        "2026-11-21 09:00:00,000 - shop - INFO - connection refused, error",
        "ok 12 - an error is raised",
        "gcc -Werror -c error.c -o error.o",
        "-- Looking for error.h - not found",
        "> git rev-parse error",
        "##[warning]Failed to save: error",
        'time="09:00" level=warning msg="connection refused"',
        '{"level": "info", "msg": "fatal: no error"}',
        'Commit message: "fix: connection refused error"',
        'INFO: "GET /fail HTTP/1.1" 500 Internal Server Error',
        "tests/test_error.py::test_fatal PASSED                [ 10%]",
    ]
    assert _cause(*quiet) is None
    assert _cause(*quiet, "it failed") == "it failed"


def test_a_level_that_is_no_error_may_still_tell_of_one_in_passing() -> None:
    assert _cause("09:00 - x - INFO - check: ❌ FAIL") == "09:00 - x - INFO - check: ❌ FAIL"


def test_prefixes_of_builders_and_loggers_do_not_hide_a_cause() -> None:
    assert bare("#12 3.456 error: x") == "error: x"
    assert bare("web-1  | 2026-11-21 09:00:00,123 - ERROR - x") == "ERROR - x"
    assert bare("##[error]x") == "x"


def test_of_very_many_lines_with_trouble_the_first_and_the_last_count() -> None:
    lines = [f"warnings and error number {number}" for number in range(5_000)]
    assert _cause("Error: first", *lines) == "Error: first"
    assert _cause(*lines, "E   assert 1 == 2") == "E   assert 1 == 2"


def test_letters_that_grow_in_lower_case_do_no_harm() -> None:
    log = Log(name=None, text="İ\nİ error: x\nend", whole=True)
    assert _cause(*lines_of(log)) == "İ error: x"
