"""config.yaml at the root: valid as it stands, and with everything in it switched on."""

import re
import shutil
from itertools import groupby
from pathlib import Path

import pytest

from poller.config import Configuration, load

SHIPPED = Path(__file__).parents[3] / "config.yaml"
LINES = SHIPPED.read_text().splitlines()
OFF = re.compile(r"( *)#(?=[^ #!])")
ENVIRONMENT = dict.fromkeys(
    [
        "GITHUB_TOKEN",
        "GITHUB_APP_PRIVATE_KEY",
        "JENKINS_TOKEN",
        "SLACK_WEBHOOK_URL",
        "SLACK_BOT_TOKEN",
        "SMTP_PASSWORD",
        "HEARTBEAT_URL",
        "BUILDWATCH_TOKEN",
        "ADA_PASSWORD",
        "GITHUB_WEBHOOK_SECRET",
    ],
    "https://hooks.slack.com/services/T0/B0/made-up",
)
NEEDS = {"- provider: nsp": "nsp:"}


def blocks() -> dict[str, list[int]]:
    """Runs of lines that are switched off, by their first line."""
    numbered = [(number, OFF.match(line)) for number, line in enumerate(LINES)]
    found: dict[str, list[int]] = {}
    for off, run in groupby(numbered, key=lambda one: bool(one[1]) or bool(re.match(r" *#  ", LINES[one[0]]))):
        numbers = [number for number, _ in run]
        if off:
            found[LINES[numbers[0]].strip().removeprefix("#")] = numbers
    return found


def switched_on(numbers: list[int]) -> str:
    return "\n".join(
        re.sub(r"^( *)#", r"\1", line, count=1) if number in numbers else line for number, line in enumerate(LINES)
    )


def loaded(folder: Path, text: str) -> Configuration:
    (folder / "line.j2").write_text("{{ message.headline }}")
    (folder / "buckets.yaml").write_text("rules: [{name: No Licence, class: infra, contains: no licence}]")
    path = folder / "config.yaml"
    path.write_text(text)
    path.chmod(0o600)
    return load(path, environ=ENVIRONMENT)


def test_it_runs_as_it_stands(tmp_path: Path) -> None:
    path = shutil.copy(SHIPPED, tmp_path)
    configuration = load(Path(path), environ={})
    assert configuration.warnings == ()
    (provider,) = configuration.providers.values()
    assert (provider.kind, provider.token) == ("github", None)  # type: ignore[attr-defined]
    assert [channel.kind for channel in configuration.channels.values()] == ["console"]
    assert len(configuration.pipelines) == 1
    assert configuration.store.url.get_secret_value() == f"sqlite:///{tmp_path}/buildwatch.db"


def test_one_repository_without_a_token_stays_under_github_s_sixty_requests_an_hour() -> None:
    configuration = load(SHIPPED, environ={})
    assert 3600 / configuration.providers["github"].poll_every.total_seconds() <= 20


@pytest.mark.parametrize("first", blocks())
def test_each_setting_is_valid_when_its_hash_is_removed(first: str, tmp_path: Path) -> None:
    found = blocks()
    needed = [number for start, other in NEEDS.items() if first == start for number in found[other]]
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.yaml").write_text("")
    before = load(SHIPPED, environ={})
    configuration = loaded(tmp_path, switched_on([*found[first], *needed]))
    assert configuration.loaded != before.loaded or first in DEFAULTS_IN_WORDS


DEFAULTS_IN_WORDS: set[str] = set()


def test_everything_is_valid_when_every_hash_is_removed(tmp_path: Path) -> None:
    numbers = [number for run in blocks().values() for number in run]
    configuration = loaded(tmp_path, switched_on(numbers))
    assert {provider.kind for provider in configuration.providers.values()} == {"github", "jenkins", "push"}
    assert {channel.kind for channel in configuration.channels.values()} == {"console", "slack", "smtp"}


def test_each_setting_has_a_line_that_explains_it() -> None:
    for numbers in blocks().values():
        before = LINES[numbers[0] - 1].strip()
        assert before.startswith("# "), LINES[numbers[0]]
