from pathlib import Path

import pytest

from poller.cli import init
from poller.cli.first_config import Answers, first_config, variables
from poller.config import load
from tests.support.commands import ROOT, Commands, in_process_of_its_own

ALL = Answers(
    zone="Asia/Kolkata",
    jenkins="https://jenkins.example.com/ci",
    username="bot",
    job="team/**",
    repo="acme/*",
    slack="bot",
    room="#ci",
    mail_host="smtp.example.com",
    mail_from="CI <ci@example.com>",
    mail_to="a@example.com, b@example.com",
)


@pytest.mark.parametrize(
    ("answers", "needed"),
    [
        (Answers(), []),
        (Answers(repo="acme/web", slack="webhook"), ["GITHUB_TOKEN", "SLACK_WEBHOOK_URL"]),
        (Answers(jenkins="http://ci/", job="**"), []),
        (ALL, ["JENKINS_TOKEN", "GITHUB_TOKEN", "SLACK_BOT_TOKEN"]),
    ],
)
def test_what_is_written_is_valid_once_its_variables_are_set(
    answers: Answers, needed: list[str], tmp_path: Path
) -> None:
    text = first_config(answers)
    assert variables(text) == needed
    path = tmp_path / "config.yaml"
    path.write_text(text)
    environ = {name: "https://hooks.example.com/x" if "URL" in name else "xoxb-secret" for name in needed}
    configuration = load(path, environ=environ)
    assert configuration.pipelines
    assert configuration.channels


def test_all_answers_arrive(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(first_config(ALL))
    found = load(path, environ={"JENKINS_TOKEN": "x1", "GITHUB_TOKEN": "y1", "SLACK_BOT_TOKEN": "xoxb-1"})
    assert str(found.timezone) == "Asia/Kolkata"
    assert set(found.providers) == {"jenkins", "github"}
    assert [getattr(entry, "job", None) or getattr(entry, "repo", None) for entry in found.pipelines] == [
        "team/**",
        "acme/*",
    ]
    assert set(found.channels) == {"slack", "mail"}
    assert found.channels["mail"].to == ("a@example.com", "b@example.com")  # type: ignore[attr-defined]


def test_asking_writes_a_file_for_the_owner_only(tmp_path: Path) -> None:
    typed = "Europe/Berlin\nhttps://ci.example.com/\nbot\n\nacme/web\nbot\n\nsmtp.example.com\n\nteam@example.com\n"
    ran = in_process_of_its_own("init", folder=tmp_path, given=typed)
    assert ran.status == 0, ran.err
    assert "export JENKINS_TOKEN=… GITHUB_TOKEN=… SLACK_BOT_TOKEN=…" in ran.out
    path = tmp_path / "config.yaml"
    assert path.stat().st_mode & 0o777 == 0o600
    environ = {"JENKINS_TOKEN": "x1", "GITHUB_TOKEN": "y1", "SLACK_BOT_TOKEN": "xoxb-1"}
    ran = in_process_of_its_own("check", folder=tmp_path, environ=environ)
    assert (ran.status, ran.out) == (0, "config.yaml is fine: 2 providers, 2 pipelines, 2 channels, 1 route\n")


def test_nothing_is_overwritten(buildwatch: Commands, config: Path) -> None:
    before = config.read_text()
    for words in (["init"], ["init", "--demo"]):
        ran = buildwatch(*words)
        assert (ran.status, "exists already" in ran.err) == (1, True)
    assert config.read_text() == before


def test_nobody_there_to_answer_writes_nothing(tmp_path: Path) -> None:
    ran = in_process_of_its_own("init", folder=tmp_path, given="")
    assert (ran.status, list(tmp_path.iterdir())) == (2, [])
    assert "--demo" in ran.err


def test_demo_writes_the_shipped_example(buildwatch: Commands, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.unlink()
    assert buildwatch("init", "--demo").status == 0
    assert config.read_text() == (ROOT / "config.yaml").read_text()
    assert buildwatch("check").status == 0
    config.unlink()
    monkeypatch.setattr(init, "EXAMPLES", ())
    assert buildwatch("init", "--demo").status == 1


def test_a_folder_that_does_not_exist_is_said(buildwatch: Commands, tmp_path: Path) -> None:
    ran = buildwatch("init", "--demo", "--config", str(tmp_path / "nowhere" / "config.yaml"))
    assert (ran.status, "No such file" in ran.err) == (1, True)
