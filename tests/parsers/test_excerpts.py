"""The excerpt is what a person would have scrolled to."""

from parsers.excerpts import LINES, excerpt, shown_log


def _log(*wrong: str, before: int = 40, after: int = 40) -> list[str]:
    return [*(f"step {number}" for number in range(before)), *wrong, *(f"cleanup {number}" for number in range(after))]


def test_fifteen_lines_around_the_cause_and_the_rest_counted() -> None:
    found = excerpt(_log("boom"), 40, log="test")
    assert found is not None
    assert (len(found.lines), found.above, found.below) == (LINES, 35, 31)
    assert (found.lines[found.cause or 0], found.first_error, found.log) == ("boom", "boom", "test")
    assert found.text.splitlines()[0] == "… 35 more lines above"
    assert found.text.splitlines()[-1] == "… 31 more lines below"
    assert shown_log(found.text).split("\n") == list(found.lines)


def test_near_an_end_the_other_side_gets_the_room() -> None:
    found = excerpt(_log("boom", after=0), 40)
    assert found is not None
    assert (len(found.lines), found.above, found.below) == (LINES, 26, 0)
    found = excerpt(_log("boom", before=0), 0)
    assert found is not None
    assert (found.above, found.cause) == (0, 0)


def test_without_a_cause_the_end_is_shown() -> None:
    found = excerpt(["", *_log(before=20, after=0), "", ""], None)
    assert found is not None
    assert (found.lines[-1], found.cause, found.first_error) == ("step 19", None, None)
    assert found.text.splitlines()[0] == "… 6 more lines above"


def test_a_short_log_is_shown_whole_and_an_empty_one_not_at_all() -> None:
    found = excerpt(["", "step 1", "", "", "boom", ""], 4)
    assert found is not None
    assert found.text == "step 1\n\nboom"
    assert excerpt(["", " "], None) is None
    assert excerpt([], None) is None


def test_one_left_out_line_is_one_line() -> None:
    found = excerpt(list("x" * 16), None)
    assert found is not None
    found = excerpt([f"line {number}" for number in range(16)], None)
    assert found is not None
    assert found.text.splitlines()[0] == "… 1 more line above"


def test_what_only_fills_the_screen_is_folded() -> None:
    lines = [
        "waiting",
        "waiting",
        "waiting",
        "java.lang.Error: boom",
        *(f"\tat a.B.c{number}(B.java:{number})" for number in range(30)),
        "Caused by: java.io.IOException: deep",
        "\tat a.B.d(B.java:2)",
        "\tat a.B.e(B.java:2)",
        "\tat a.B.f(B.java:2)",
        "end",
    ]
    found = excerpt(lines, 34)
    assert found is not None
    assert found.lines == (
        "waiting  … 3 times",
        "java.lang.Error: boom",
        "\tat a.B.c0(B.java:0)",
        "\tat a.B.c1(B.java:1)",
        "    … 28 more frames",
        "Caused by: java.io.IOException: deep",
        "\tat a.B.d(B.java:2)",
        "\tat a.B.e(B.java:2)",
        "    … 1 more frame",
        "end",
    )


def test_what_a_step_of_github_repeats_is_folded_and_what_follows_it_left_out() -> None:
    lines = [
        "##[group]Run make",
        "make",
        "shell: bash",
        "##[endgroup]",
        "boom",
        "##[error]Process completed with exit code 2.",
        "Post job cleanup.",
    ]
    found = excerpt(lines, 4)
    assert found is not None
    assert found.text.splitlines() == [
        "Run make",
        "boom",
        "##[error]Process completed with exit code 2.",
        "… 1 more line below",
    ]


def test_secrets_are_gone_and_long_lines_cut() -> None:
    key = ["-----BEGIN PRIVATE KEY-----", "MIIEpAIBAAKCAQEAabcdefgh", "-----END PRIVATE KEY-----"]
    found = excerpt(["password=hunter2hunter", *key, "x" * 5_000, "boom"], 5)
    assert found is not None
    assert "hunter2" not in found.text
    assert "MIIE" not in found.text
    assert max(map(len, found.lines)) == 300
