"""`buckets`: rules of one's own, read with the configuration and checked like it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from parsers.builtin_rules import builtin_rules
from parsers.rules import Place
from poller.config import Configuration, ConfigurationError, diff
from tests.support.configurations import WORKING

Loading = Callable[..., Configuration]
KEY = "buckets: {file: buckets.yaml}\n"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return tmp_path / "buckets.yaml"


def wrong(loading: Loading) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        loading(f"{WORKING}{KEY}")
    return [str(problem) for problem in caught.value.problems]


def test_without_the_key_the_builtin_rules_hold(loading: Loading) -> None:
    configuration = loading(WORKING)
    assert configuration.bucket_rules == builtin_rules()
    assert configuration.warnings == ()


def test_the_rules_of_the_file_come_before_the_builtin_ones(rules: Path, loading: Loading) -> None:
    rules.write_text("""
rules:
  - name: Licence Server Down
    class: infra
    detail: "{server} does not answer"
    contains: [Lmgrd, "no licence"]
    regex: "cannot reach (?P<server>\\\\S+)"
    provider: jenkins-*
    job: nightly/**
    stage: Licence
    where: log
""")
    configuration = loading(f"{WORKING}{KEY}")
    first, *rest = configuration.bucket_rules
    assert (first.name, first.kind, first.contains) == ("Licence Server Down", "infra", ("lmgrd", "no licence"))
    assert (first.provider, first.job, first.stage, first.where) == (
        "jenkins-*",
        "nightly/**",
        "Licence",
        (Place.LOG,),
    )
    assert first.regex is not None
    assert first.regex.search("cannot reach lic01")
    assert tuple(rest) == builtin_rules()
    assert rules in configuration.files


def test_the_builtin_rules_can_be_left_out(rules: Path, loading: Loading) -> None:
    rules.write_text("rules:\n")
    assert loading(f"{WORKING}buckets: {{file: buckets.yaml, builtin: false}}\n").bucket_rules == ()
    assert loading(f"{WORKING}buckets: {{builtin: false}}\n").bucket_rules == ()


def test_a_changed_rule_is_a_change(rules: Path, loading: Loading) -> None:
    rules.write_text("rules: [{name: A, class: code, contains: a}]")
    before = loading(f"{WORKING}{KEY}")
    again = loading(f"{WORKING}{KEY}")
    assert (again.loaded, bool(diff(before, again))) == (before.loaded, False)
    rules.write_text("rules: [{name: A, class: test, contains: a}]")
    after = loading(f"{WORKING}{KEY}")
    assert after.loaded != before.loaded
    assert diff(before, after).policies


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rules: [{name: A, class: code, contain: a}]", '1:32: unknown key "contain", did you mean "contains"?'),
        ("rules: [{name: A, class: cod, contains: a}]", "1:26: class: must be"),
        (
            "rules:\n  - {name: A, class: code, regex: 'a(b'}",
            "2:35: regex: not a regular expression: missing )",
        ),
        ("rules: [{name: A, class: code}]", "a rule needs `contains` or `regex`"),
        ("rules: [{name: A, class: code, contains: []}]", "a rule needs `contains` or `regex`"),
        ("rules: [{class: code, contains: a}]", 'key "name" is missing'),
        ("rules: [{name: A, contains: a}]", 'key "class" is missing'),
        ("rules: [{name: A, class: code, contains: a, where: logs}]", "where"),
        ("rules: [{name: A, class: code, contains: a, job: '[z-a]'}]", "is not a pattern"),
        ("rules: [{name: A, class: code, contains: a, detail: '{tool}'}]", 'the regex has no group "tool"'),
        ("rules: [{name: A, class: code, contains: a, detail: '{'}]", "detail: "),
        ("rules: [{name: A, class: code, regex: '(?P<a>x)', detail: '{a:>9999999999}'}]", "only names of groups"),
        ("rule: []", '1:1: unknown key "rule", did you mean "rules"?'),
        ("- {name: A}", "1:1: the file must be a mapping with the key `rules:`, a list"),
        ("rules: [", "not valid YAML"),
        ("rules: [{name: A, name: B}]", 'duplicate key "name"'),
    ],
)
def test_what_is_wrong_is_told_at_its_place_in_the_file(
    text: str, expected: str, rules: Path, loading: Loading
) -> None:
    rules.write_text(text)
    problems = wrong(loading)
    assert any(problem.startswith("buckets.yaml:") and expected in problem for problem in problems), problems


def test_a_file_that_cannot_be_read_says_why(rules: Path, loading: Loading) -> None:
    assert any("no such file" in problem for problem in wrong(loading))
    rules.write_bytes(b"\xff\xfe")
    assert wrong(loading) == ["buckets.yaml:1:1: not UTF-8 text"]
    rules.write_text("#" * (1 << 20) + "\n")
    assert wrong(loading) == ["buckets.yaml:1:1: larger than 1 MiB"]
