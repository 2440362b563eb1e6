"""What is read of one build: logs, files, and what is noted where they cannot be read."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from domain.alert import AlertKind
from domain.build import Build, Outcome
from domain.details import Artifact, Changes, Commit, Details, Log, Stage
from poller.details.asking import ask
from poller.details.files import MOST_BYTES
from poller.details.reading import Explanation, read
from providers._base import ProviderError, Refused, Trouble, Unavailable
from store import builds, details, measurements
from store.engine import Database
from tests.support.builders import build, pipeline
from tests.support.teller import COMPILE, HELM, ExplainedDesk, Teller, changes, log

GOOD = b'<testsuite name="s" tests="2"><testcase classname="a" name="x"/><testcase classname="a" name="y"/></testsuite>'
BAD = (
    b'<testsuite name="s" tests="2"><testcase classname="a" name="x"><failure message="boom"/></testcase>'
    b'<testcase classname="a" name="y"/></testsuite>'
)
FOLLOWED = """
  - provider: ci
    job: "app/*"
    parsers: {junit: "**/*.xml", artifact: "reports*"}
    require: {artifact: "**/*.xml"}
    measurements: {artifact: "size.json", numbers: {size: total.bytes}}
    labels_from: {cloud: {artifact: facts.json, path: cloud.name}}
"""


def archive(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for name, content in files.items():
            made.writestr(name.replace("__", "/").replace("_xml", ".xml").replace("_json", ".json"), content)
    return packed.getvalue()


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> ExplainedDesk:
    desk = ExplainedDesk(database, tmp_path)
    desk.with_text(tmp_path, "pipelines:", f"pipelines:{FOLLOWED.rstrip()}")
    return desk


APP = pipeline("app/web")


def explained(desk: ExplainedDesk, letters: str = "PF") -> Explanation:
    """What was read of the last of these builds."""
    desk.builds(letters, pipeline=APP)
    asked = desk.database.read(lambda session: ask(session, desk.due()[0], desk.configuration))
    assert asked is not None
    return read(desk.teller, asked, redact=lambda text: text.replace("hunter2", "***"))


def test_the_first_log_that_says_why_is_shown(desk: ExplainedDesk) -> None:
    logs = (Log(name="lint", text="all fine\n", whole=True), Log(name="deploy", text=HELM, whole=True))
    desk.teller.usual = Details(failing_stage="deploy", logs=logs)
    found = explained(desk).findings
    assert "INSTALLATION FAILED" in (found.log_excerpt or "")
    assert found.failing_stage == "deploy"


def test_the_secrets_of_config_yaml_are_shown_nowhere(desk: ExplainedDesk) -> None:
    commit = Commit(id="1", title="hunter2", author="hunter2", url="javascript:alert(1)")
    desk.teller.usual = Details(
        failing_stage="deploy hunter2",
        reason="hunter2 was refused",
        logs=log("Error: cannot log in with hunter2\n"),
        stages=(Stage(name="hunter2", step="hunter2", url="https://ci.example.com/1"),),
        changes=Changes(commits=(commit,), total=1),
        labels={"runner": "hunter2"},
        notes=("hunter2 is not there",),
    )
    found = explained(desk).findings
    assert "hunter2" not in str(found)
    assert "javascript" not in str(found)
    assert found.labels == {"runner": "***"}


def test_an_unstable_build_is_explained_by_its_tests(desk: ExplainedDesk) -> None:
    desk.teller.files = {"reports-linux": archive(out__junit_xml=BAD)}
    desk.teller.archives = frozenset({"reports-linux"})
    desk.teller.usual = Details(logs=log("Recording test results\nERROR: no goose\nFinished: UNSTABLE\n"))
    found = explained(desk, "PU").findings
    assert (found.bucket, found.bucket_class, found.reason) == ("Test Failed", "test", "x failed")
    assert "no goose" in (found.log_excerpt or "")
    desk.teller.usual = Details(logs=log("Recording test results\nFinished: UNSTABLE\n"))
    assert explained(desk, "U").findings.log_excerpt == "a: x\n  boom"


def test_what_looks_like_a_secret_is_shown_nowhere(desk: ExplainedDesk) -> None:
    token = "ghp_" + "a1B2" * 9
    desk.teller.usual = Details(
        failing_stage=f"deploy {token}",
        reason=f"{token} was refused",
        changes=Changes(commits=(Commit(id="1", title=f"Use {token}", author="Ada"),), total=1),
        labels={"runner": token},
        notes=(f"no answer from https://ada:{token}@ci.example.com",),
    )
    assert token not in str(explained(desk).findings)


def test_files_are_read_in_archives_and_by_themselves(desk: ExplainedDesk) -> None:
    desk.teller.files = {
        "reports-linux": archive(out__junit_xml=BAD),
        "other": archive(out__junit_xml=GOOD, size_json=b'{"total": {"bytes": 7}}'),
        "facts.json": b'{"cloud": {"name": "aws"}}',
    }
    desk.teller.archives = frozenset({"reports-linux", "other"})
    found = explained(desk)
    assert found.tests is not None
    assert (found.tests.passed, found.tests.failed) == (1, 1)
    assert found.figures == {"size": 7}
    assert found.findings.labels["cloud"] == "aws"
    assert found.gaps == ()


def test_builds_that_passed_are_read_for_their_files_alone(desk: ExplainedDesk) -> None:
    desk.teller.files = {"out/junit.xml": GOOD, "size.json": b'{"total": {"bytes": 9}}'}
    found = explained(desk, "P")
    assert found.tests is not None
    assert found.tests.passed == 2
    assert found.findings.log_excerpt is None
    assert desk.teller.asked == []
    desk.explains()
    figures = desk.database.read(lambda session: measurements.of_builds(session, [1]))
    assert figures == {1: {"size": 9.0}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<testsuite", "junit.xml"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><testsuite/>', "junit.xml"),
        (Refused(Trouble.NOT_FOUND, "out/junit.xml is gone"), "is gone"),
        (b"x" * (17 << 20), "artifact_bytes"),
    ],
)
def test_a_report_that_cannot_be_read_is_noted(desk: ExplainedDesk, content: bytes | ProviderError, words: str) -> None:
    desk.teller.files = {"out/junit.xml": content}
    found = explained(desk, "P")
    assert any(words in note for note in found.findings.notes), found.findings.notes
    assert found.tests is None
    assert found.gaps is not None
    (gap,) = found.gaps
    assert gap.reason is not None


def test_an_archive_that_is_none_is_noted(desk: ExplainedDesk) -> None:
    desk.teller.files, desk.teller.archives = {"reports": b"PK nonsense"}, frozenset({"reports"})
    found = explained(desk, "P")
    assert any("reports" in note for note in found.findings.notes)


def test_a_required_file_that_is_not_there_is_told_of_a_build_that_passed(desk: ExplainedDesk) -> None:
    desk.teller.files = {"out/junit.xml": GOOD}
    desk.builds("P", pipeline=APP)
    desk.explains()
    desk.teller.files = {}
    desk.builds("P", pipeline=APP)
    desk.explains()
    assert [each.kind for each in desk.alerts()] == [AlertKind.TEST_REGRESSION]


def test_a_build_that_failed_before_its_tests_owes_no_report(desk: ExplainedDesk) -> None:
    assert explained(desk).gaps is None


class NoList(Teller):
    """The files cannot be listed now."""

    def artifacts(self, build: Build) -> Sequence[Artifact]:
        raise Unavailable(Trouble.TIMEOUT, f"no list of build {build.number}")


def test_files_that_cannot_be_listed_do_not_hide_the_log(desk: ExplainedDesk) -> None:
    desk.teller = NoList(usual=Details(logs=log(COMPILE)))
    found = explained(desk)
    assert found.findings.bucket == "Compile Error"
    assert found.findings.notes == ("files not read: no list of build 2",)
    assert found.later
    with pytest.raises(Unavailable):
        explained(desk, "P")


def test_after_the_deadline_no_more_files_are_read(desk: ExplainedDesk) -> None:
    desk.teller.files = {"a.xml": GOOD, "b.xml": GOOD}
    desk.builds("P", pipeline=APP)
    asked = desk.database.read(lambda session: ask(session, 1, desk.configuration))
    assert asked is not None
    found = read(desk.teller, asked, deadline=lambda: bool(desk.teller.fetched))
    assert found.findings.notes[0] == "1 of 2 files were not looked at"
    assert found.tests is None
    assert found.gaps is None
    assert MOST_BYTES > 0


def test_changes_that_the_first_failure_lacks_are_read_with_a_later_one(desk: ExplainedDesk) -> None:
    desk.teller.by_number = {2: Details(), 3: Details(logs=log(COMPILE))}
    desk.builds("PF", pipeline=APP)
    desk.explains()
    desk.teller.by_number[2] = Details(changes=changes("ada"))
    desk.builds("F", pipeline=APP)
    desk.explains()
    found = desk.database.read(lambda session: details.get(session, [2, 3]))
    assert found[2].changes == changes("ada")
    assert found[3].changes is None


def test_an_outcome_that_the_details_tell_better_is_stored(desk: ExplainedDesk) -> None:
    desk.teller.usual = Details(outcome=Outcome.TIMEOUT)
    desk.comes(build(1), build(2, Outcome.FAILURE))
    saved = desk.explains(2)
    view = desk.database.read(lambda session: builds.get(session, [2]))[2]
    assert view.build.outcome is Outcome.TIMEOUT
    assert len(saved.counted) == 1
