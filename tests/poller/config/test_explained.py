"""`details`, `suspects`, `parsers`, `require`, `measurements`: what is read about a build."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from jsonschema import Draft202012Validator

from poller.config import Configuration, schema
from poller.config.changes import diff
from poller.config.explained import DetailsSettings, Reports, Suspects
from poller.config.tree import plain, read_tree
from tests.support.configurations import WORKING, fake_plugins

Loading = Callable[..., Configuration]
Wrong = Callable[..., list[str]]


def with_entry(keys: str) -> str:
    return WORKING.replace("job: nightly", f"job: nightly\n    {keys}")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", DetailsSettings()),
        ("on", DetailsSettings()),
        ("off", None),
        ("no", None),
        ("false", None),
        ("'${D:-off}'", None),
        ("{wait: 0}", DetailsSettings(wait=timedelta(0))),
        ("{wait: 0s}", DetailsSettings(wait=timedelta(0))),
        ("{wait: '${W:-0}'}", DetailsSettings(wait=timedelta(0))),
        ("{wait: 5m}", DetailsSettings(wait=timedelta(minutes=5))),
        ("{log_bytes: 65536}", DetailsSettings(log_bytes=65536)),
        ("{log_bytes: '65536'}", DetailsSettings(log_bytes=65536)),
        ("{log_bytes: 0}", DetailsSettings(log_bytes=0)),
        ("{log_bytes: 64k}", DetailsSettings(log_bytes=64 << 10)),
        ("{log_bytes: 2 MB}", DetailsSettings(log_bytes=2 << 20)),
        ("{artifact_bytes: 64MiB}", DetailsSettings(artifact_bytes=64 << 20)),
    ],
)
def test_how_much_is_read_is_written_like_this(
    written: str, expected: DetailsSettings | None, loading: Loading
) -> None:
    assert loading(f"{WORKING}details: {written}\n").details == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", Suspects()),
        ("off", Suspects(show="off")),
        ("false", Suspects(show="off")),
        ("true", Suspects()),
        ("mention", Suspects(show="mention")),
        ("{show: off}", Suspects(show="off")),
        ("{people: {Ada: U012AB3CD}}", Suspects(show="mention", people={"ada": "U012AB3CD"})),
        ("{show: list, people: {Ada Lovelace: W012AB3CD}}", Suspects(people={"ada lovelace": "W012AB3CD"})),
    ],
)
def test_whose_changes_are_named_is_written_like_this(written: str, expected: Suspects, loading: Loading) -> None:
    assert loading(f"{WORKING}suspects: {written}\n").suspects == expected


def test_one_report_needs_no_list_around_it(loading: Loading) -> None:
    short = "parsers: {junit: '**/*.xml'}\n    require: {artifact: r.xml}\n    measurements: {artifact: m.json}"
    long = "parsers: [{junit: '**/*.xml'}]\n    require: [{artifact: r.xml}]\n    measurements: [{artifact: m.json}]"
    (one,), (other,) = loading(with_entry(short)).pipelines, loading(with_entry(long)).pipelines
    assert one == other
    reports = loading(with_entry(short)).reports_of(one)
    assert [each.junit for each in reports.parsers] == ["**/*.xml"]
    assert [each.artifact for each in (*reports.require, *reports.measurements)] == ["r.xml", "m.json"]


def test_an_entry_without_reports_reads_none_off_builds_that_passed(loading: Loading) -> None:
    configuration = loading(with_entry("parsers:"))
    assert configuration.reports_of(configuration.pipelines[0]) == configuration.reports_of(None) == Reports()
    assert not Reports()
    configuration = loading(with_entry("measurements: {artifact: m.json, numbers: {coverage: totals.coverage}}"))
    reports = configuration.reports_of(configuration.pipelines[0])
    assert reports
    assert reports.measurements[0].numbers == {"coverage": "totals.coverage"}


SIZE = 'must be a size, like "1MiB" or 65536'


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("details: {wait: 6m}", "8:17: wait: must be at most 5 minutes"),
        ("details: {wait: soon}", "8:17: wait: 'soon' is not a duration: write a number and a unit, like 90s, "),
        ("details: {log_bytes: 65MiB}", "8:22: log_bytes: must be at most 64MiB: each build that fails is read so far"),
        ("details: {log_bytes: true}", f"8:22: log_bytes: {SIZE}"),
        ("details: {log_bytes: 1.5}", f"8:22: log_bytes: {SIZE}"),
        ("details: {log_bytes: -1}", f"8:22: log_bytes: {SIZE}"),
        ("details: {artifact_bytes: 1 megabyte}", f"8:27: artifact_bytes: {SIZE}"),
        ("details: {lgo_bytes: 1}", '8:11: unknown key "lgo_bytes", did you mean "log_bytes"?'),
        ("details: [x]", "8:1: details: must be a mapping of keys, not a list"),
        ("suspects: mentoin", '8:11: suspects: must be "off", "list" or "mention", did you mean "mention"?'),
        ("suspects: {people: {ada: '@ada'}}", '8:26: ada: "@ada" is not the id of a person in Slack, like U012AB3CD'),
        ("suspects: {people: {ada: u012ab3cd}}", "8:26: ada: "),
        ("suspects: {people: {ada: 12}}", "8:26: ada: must be text: put the number in quotes"),
        ("suspects: {people: {<ada>: U012AB3CD}}", "8:28: <ada>: must be a login or a name"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_place(written: str, expected: str, wrong: Wrong) -> None:
    (found,) = wrong(f"{WORKING}{written}\n")
    assert found.startswith(f"config.yaml:{expected}")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("parsers: junit", ["6:14: parsers: must be a mapping of keys"]),
        ("parsers: {}", ['6:5: key "junit" is missing']),
        ("parsers: {junit: ''}", ["6:22: junit: must not be empty"]),
        ("parsers: [{junit: x}, {juint: y}]", ['key "junit" is missing', 'unknown key "juint", did you mean "junit"?']),
        ("require: {file: x}", ['6:5: key "artifact" is missing', '6:15: unknown key "file"; known here: artifact']),
        ("measurements: {artifact: x, numbers: [a]}", ["6:33: numbers: must be a mapping of keys, not a list"]),
        ("measurements: [{artifact: x, numbers: {a: ''}}]", ["6:47: a: must not be empty"]),
    ],
)
def test_a_report_that_cannot_be_read_so_is_refused_at_its_place(
    written: str, expected: list[str], wrong: Wrong
) -> None:
    found = wrong(with_entry(written))
    assert len(found) == len(expected)
    for one, text in zip(found, expected, strict=True):
        assert text in one


def test_what_is_wrong_in_the_defaults_is_told_there(wrong: Wrong) -> None:
    assert wrong("defaults: {parsers: {juint: x}}\n" + WORKING) == [
        'config.yaml:1:12: key "junit" is missing',
        'config.yaml:1:22: unknown key "juint", did you mean "junit"?',
    ]


@pytest.mark.parametrize(
    "text",
    [
        WORKING + "details: off\nsuspects: off\n",
        WORKING + "details: {wait: 0, log_bytes: 1MiB, artifact_bytes: 65536}\nsuspects: mention\n",
        WORKING + "suspects: {show: list, people: {ada: U012AB3CD}}\n",
        with_entry(
            "parsers: {junit: x}\n    require: [{artifact: y}]\n    measurements: {artifact: z, numbers: {a: b}}"
        ),
        with_entry("parsers:\n    require: []"),
    ],
)
def test_what_loads_fits_the_schema(text: str, loading: Loading, file: object) -> None:
    loading(text)
    tree, problems = read_tree(text, file)  # type: ignore[arg-type]
    assert not problems
    found = Draft202012Validator(schema(fake_plugins())).iter_errors(plain(tree))
    assert [error.message for error in found] == []


def test_a_changed_setting_is_a_change(loading: Loading) -> None:
    before = loading(WORKING)
    assert diff(before, loading(WORKING + "details: off\n")).policies
    assert diff(before, loading(WORKING + "suspects: off\n")).policies
    assert diff(before, loading(with_entry("parsers: {junit: x}"))).rules
