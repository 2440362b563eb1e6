import io
import logging
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from alerts.channels._plain import tidy
from alerts.channels._slack_blocks import blocks, fallback
from alerts.verdict import verdict_of
from alerts.writing.samples import sample_messages
from domain.alert import AlertState
from domain.build import Outcome
from poller.cli import demo as demo_command
from poller.cli.demo_cards import Line, card, colour_of, headline_of, letter, spoken
from poller.cli.demo_observer import Observer
from poller.cli.demo_screen import LogLines, Screen
from poller.intake.ingest import Ingested
from simulator.house import Simulator
from store import builds
from store.engine import Database
from tests.support.builders import NOON, alert, build, pipeline
from tests.support.builders import builds as several
from tests.support.commands import Commands, bare_environment


def text_of(lines: list[Line]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


def test_a_card_reads_as_slack_shows_it() -> None:
    message = tidy(sample_messages(NOON)[0])
    shown = text_of(card(blocks(message), fallback(message)))
    assert shown.splitlines()[0] == message.headline
    assert re.search(r"^Duration 5 m, usually 4 m 10 s +Stage Deploy$", shown, re.MULTILINE)
    assert "  Error: INSTALLATION FAILED" in shown
    assert "2026-11-20 12:00 UTC" in shown
    assert not re.search(r"[<>*`]|&amp;", shown)


def test_a_wide_field_has_a_row_of_its_own() -> None:
    fields = [f"*{name}*  {value}" for name, value in (("A", "1"), ("Long", "x" * 70), ("B", "2"), ("C", "3"))]
    block = {"type": "section", "fields": [{"text": text} for text in fields]}
    assert text_of(card([block], "")).splitlines() == ["A 1", f"Long {'x' * 70}", "B 2   C 3"]
    odd = {"type": "section", "fields": [{"text": "*A*  1"}]}
    assert text_of(card([odd], "")) == "A 1"


def test_a_long_value_and_an_unknown_block_are_no_obstacle() -> None:
    section = {"type": "section", "text": {"text": "*Reason*\none\ntwo"}}
    assert text_of(card([section, {"type": "divider"}], "")) == "Reason\n  one\n  two"


def test_escapes_are_undone_and_a_message_without_blocks_is_its_text() -> None:
    assert text_of([spoken("a &lt;!channel&gt; &amp; <https://x/?a&amp;b|the *link*> *bold*")]) == (
        "a <!channel> & the *link* bold"
    )
    assert text_of(card([], "one\ntwo")) == "one\ntwo"
    assert headline_of("🔴 a &lt; b\nmore") == "🔴 a < b"
    assert (colour_of("🟢 fixed"), colour_of("what")) == ("green", "default")


def test_a_mail_shows_its_subject_once_and_no_signature() -> None:
    assert text_of(letter("🔴 web failed", "🔴 web failed\n   Build  #1\n\n-- \nsent by buildwatch\n")) == (
        "Subject: 🔴 web failed\n   Build  #1"
    )


@pytest.fixture
def observed(house: Simulator, buildwatch: Commands, house_config: Path) -> Callable[[], str]:
    """Looks, and returns what was printed since the last look."""
    assert house_config.exists()
    observer = Observer(Screen(), house)

    def look() -> str:
        buildwatch._capsys.readouterr()
        observer.look()
        return buildwatch._capsys.readouterr().out

    return look


def test_every_message_is_shown_once_with_its_edits(
    house: Simulator, buildwatch: Commands, observed: Callable[[], str]
) -> None:
    job = house.world.jenkins.job("team/api")
    assert buildwatch("poll").status == 0
    assert observed() == ""
    job.build("FAILURE")
    buildwatch("poll")
    shown = observed()
    assert re.search(r"^00:\d\d  Slack   #ci, a new card$", shown, re.MULTILINE)
    assert "│ 🔴 team/api failed" in shown
    assert "mail    to team@example.com\n" in shown
    assert "│ Subject: 🔴 team/api failed" in shown
    assert observed() == ""
    job.build("FAILURE")
    buildwatch("poll")
    assert "#ci, the card now says: 🔴 team/api failed, 2nd in a row" in observed()
    job.build("SUCCESS")
    buildwatch("poll")
    shown = observed()
    assert "#ci, the same card, edited" in shown
    assert "#ci, in the thread of the card: 🟢 team/api is fixed after 2 failures" in shown
    assert "to team@example.com, in reply to the first one" in shown


def test_the_same_card_in_two_rooms_is_shown_in_full_once(
    house: Simulator, buildwatch: Commands, observed: Callable[[], str]
) -> None:
    buildwatch("poll")
    house.world.github.repo("acme/web").run("failure")
    buildwatch("poll")
    shown = observed()
    assert shown.count("a new card") == 2
    assert "a new card: the same as in #" in shown


def test_polls_are_summed_up(house: Simulator, store: Database, capsys: pytest.CaptureFixture[str]) -> None:
    observer = Observer(Screen(), house)
    made = [
        *several("PFA", pipeline=pipeline("web/deploy", name="Deploy")),
        *several("PPPPP", pipeline=pipeline("old/history", branched=False, name="history")),
        build(1, Outcome.FAILURE, pipeline=pipeline("fork"), is_fork=True, attempt=2),
        build(2, pipeline=pipeline("pull"), is_pull_request=True),
        build(3, None, pipeline=pipeline("runs")),
    ]
    changes = store.transact(lambda session: builds.upsert(session, made, verdict_of, NOON))
    fired = alert(summary="1 failed in a row since #2")
    again = alert(summary="2 failed in a row since #2")
    observer.ingested(Ingested(changes=changes, transitions=[fired, again, alert(state=AlertState.RESOLVED)]))
    observer.look()
    out = capsys.readouterr().out
    assert "Deploy / main #1 ✓success #2 ✗failure #3 –cancelled" in out  # noqa: RUF001
    assert "history: 5 builds" in out
    assert "fork (fork) #1.2 ✗failure" in out
    assert "pull (pull request) #2 ✓success" in out
    assert "runs" not in out
    assert "failure firing: web/deploy / main: 1 failed in a row since #2" in out
    assert "failure goes on: web/deploy / main: 2 failed in a row since #2" in out
    assert "failure resolved: web/deploy / main" in out
    observer.summarize(store, 7, "1m")
    out = capsys.readouterr().out
    assert "In 1m:" in out
    assert "polls     7, 0 requests" in out
    assert "builds    0 finished, beside 10 that were there before" in out


def test_on_a_terminal_messages_have_boxes_and_nothing_foreign_gets_through(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen, written = Screen(), io.StringIO()
    screen._terminal = Console(file=written, force_terminal=True, width=100, highlight=False, markup=False, emoji=False)
    screen.say("plain", style="bold")
    screen.tell("alert", "one\ntwo", "red")
    screen.show("Slack", "#ci, a new card", [[("[bold]\x1b[2J", "")], [("dim", "dim")]], "green")
    text = re.sub(r"\x1b\[[0-9;]*m", "", written.getvalue())
    assert "\x1b" not in text
    assert "[bold]\\x1b[2J" in text
    assert text.count("─╮") == 1
    assert capsys.readouterr().out == ""


def test_the_log_stands_among_the_other_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log = LogLines(Screen())
    log.write("12:00:00 WARNING poller.watching.polling: poll failed\n    Traceback\n")
    log.write("\n")
    assert re.fullmatch(
        r"00:00  log     WARNING poller.watching.polling: poll failed\n +Traceback\n", capsys.readouterr().out
    )


class Interrupting(threading.Event):
    """Behaves as if somebody pressed Ctrl-C at the n-th wait."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._left = after

    def wait(self, timeout: float | None = None) -> bool:
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt
        return super().wait(timeout)


def watch(tmp_path: Path, stopping: threading.Event, limit: timedelta | None = None) -> bool:
    with Simulator(1, story=True) as house:
        path = tmp_path / "config.yaml"
        path.write_text(house.config_text(poll_every="1s"))
        return demo_command._watch(Screen(), house, path, limit, stopping)


@pytest.fixture
def _logging_as_before() -> Any:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    for name in ("apscheduler", "poller.watching.schedule"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.usefixtures("_logging_as_before")
def test_it_ends_by_itself_with_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert watch(tmp_path, threading.Event(), timedelta(seconds=3)) is True
    out = capsys.readouterr().out
    assert "builds" in out.partition("polled")[2]
    assert re.search(r"polls     [1-9]", out)


@pytest.mark.usefixtures("_logging_as_before")
def test_an_interrupt_ends_it_cleanly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert watch(tmp_path, Interrupting(4)) is True
    assert "breaks" in capsys.readouterr().out


INTERRUPTIBLE = (  # a shell starts what goes on in the background without
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from poller.cli import main; main()"
)


def test_the_command_prints_its_servers_and_leaves_on_a_signal(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "demo", "--seed", "3"],
        cwd=tmp_path,
        env=bare_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        head = [running.stdout.readline() for _ in range(6)]
        while "polled" not in (line := running.stdout.readline()) or line.startswith("  "):
            assert line, "it ended by itself"
        asked = time.monotonic()
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 0, err
    assert time.monotonic() - asked < 30  # what is being sent is given 20 s
    assert err == ""
    assert "In " in out
    for server in (
        "dashboard http://127.0.0.1:",
        "Jenkins   http://127.0.0.1:",
        "GitHub    http://127.0.0.1:",
        "mail      smtp://127.0.0.1:",
    ):
        assert any(server in line for line in head), head


def test_a_time_that_cannot_be_read_is_a_usage_error(buildwatch: Commands) -> None:
    assert buildwatch("demo", "--for", "soon", config=False).status == 2
