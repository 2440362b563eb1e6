"""`labels_from` in config.yaml: what is wrong has its place, and what can never come is warned of."""

from pathlib import Path

import pytest

from poller.config import Configuration, ConfigurationError, load
from providers._labels import label_source

GITHUB = """\
providers:
  gh: {kind: github}
channels: {screen: {kind: console}}
pipelines:
  - provider: gh
    repo: acme/web
    labels_from:
"""
JENKINS = GITHUB.replace("gh: {kind: github}", "gh: {kind: jenkins, url: 'http://127.0.0.1:9/'}").replace(
    "repo: acme/web", "job: web/*"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def loaded(file: Path, text: str) -> Configuration:
    file.write_text(text)
    return load(file, environ={})


@pytest.mark.parametrize("kind", [GITHUB, JENKINS])
@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "cloud: parameter.CLOUD",
            '8:14: cloud: "parameter.CLOUD" is no source of labels, did you mean "parameters.CLOUD"?',
        ),
        ("cloud: job_nam", '8:14: cloud: "job_nam" is no source of labels, did you mean "job_name"?'),
        ('cloud: {branch: "("}', '8:7: cloud: "(" is not a regular expression: missing ) at position 1'),
        ("cloud: {branch: a, title: b}", "8:7: cloud: needs exactly one source"),
        ("cloud: {artifact: f.json}", "8:7: cloud: says not where"),
        ("cloud: 7", "8:14: cloud: must be text or a mapping of keys"),
        ("cloud: [branch]", "8:7: cloud: must be text or a mapping of keys"),
    ],
)
def test_what_is_wrong_with_a_label_is_told_at_its_place(kind: str, line: str, said: str, file: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        loaded(file, f"{kind}      {line}\n")
    [problem] = error.value.problems
    assert f"{problem.line}:{problem.column}: {problem.message}".startswith(said)


def test_what_github_never_tells_is_warned_of(file: Path) -> None:
    sources = "      cloud: parameters.CLOUD\n      what: {description: x}\n      who: actor\n"
    found = [(each.line, each.message) for each in loaded(file, GITHUB + sources).warnings]
    assert [line for line, _ in found] == [8, 9]
    assert "run-name" in found[0][1]
    assert "title" in found[1][1]
    assert loaded(file, JENKINS + sources).warnings == ()


def test_labels_of_the_defaults_hold_for_every_kind_of_provider(file: Path) -> None:
    configuration = loaded(file, f"{GITHUB}      who: actor\ndefaults: {{labels_from: {{release: branch}}}}\n")
    assert configuration.pipelines[0].sources == (label_source("release", "branch"), label_source("who", "actor"))


def test_labels_that_no_poll_tells_make_every_build_be_read(file: Path) -> None:
    sources = "      cloud: {artifact: facts.json, path: cloud}\n      agent: built_on\n      who: actor\n"
    for text, late in ((GITHUB, ["cloud", "agent"]), (JENKINS, ["cloud"])):
        configuration = loaded(file, text + sources)
        reports = configuration.reports_of(configuration.pipelines[0])
        assert [source.name for source in reports.labels] == late
        assert reports
    configuration = loaded(file, JENKINS + "      agent: {built_on: 'agent-.*'}\n")
    assert not configuration.reports_of(configuration.pipelines[0])


def test_equal_texts_make_equal_sources(file: Path) -> None:
    text = GITHUB + "      cloud: {title: 'blr-(.*)'}\n"
    one, other = (loaded(file, text).pipelines[0] for _ in range(2))
    assert one == other
    assert one.sources == other.sources
    assert len({hash(source) for source in (*one.sources, *other.sources)}) == 1


def test_a_figure_may_not_take_a_name_that_means_something_else(file: Path) -> None:
    entry = "      who: actor\n    measurements: {artifact: m.json, numbers: {tests_failed: failed}}\n"
    with pytest.raises(ConfigurationError, match='"tests_failed" is what buildwatch measures itself'):
        loaded(file, GITHUB + entry)
