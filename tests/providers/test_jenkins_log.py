"""Consoles: their end, within a cap, decoded; and what is read off them."""

import tracemalloc
from collections.abc import Iterator

import pytest

from providers._base import Wanted
from providers._jenkins.log import END_NOT_READ, decoded_log, runner_in, timeout_in, why_queued
from simulator import faults
from simulator.jenkins_details import Stage
from tests.support.jenkins_scene import Scene, a_scene

GIGABYTE = 1 << 30
NOTE = b"\x1b[8mha:////4AAAAXx+LCAAAAAAAAP9b85aBtbiIQTGjNKU4P08v==\x1b[0m"


@pytest.fixture
def scene() -> Iterator[Scene]:
    with a_scene() as made:
        yield made


def log_of(scene: Scene, limit: int = 1 << 20) -> tuple[str, bool]:
    """The text of the console, and whether it is whole; nothing else is asked for."""
    found = scene.details("api", stages=False, tests=False, log_bytes=limit)
    assert found.notes == ()
    return found.logs[0].text, found.logs[0].whole


def test_of_two_gigabytes_a_megabyte_is_read_in_bounded_memory(scene: Scene) -> None:
    scene.world.job("api").build("FAILURE", chatter=2 * GIGABYTE, log="ERROR: disk full\nFinished: FAILURE\n")
    scene.build("api")
    sent = scene.server.bytes_sent
    tracemalloc.start()
    try:
        text, whole = log_of(scene)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (text[-35:], whole) == ("ERROR: disk full\nFinished: FAILURE\n", False)
    assert text.startswith("[INFO] copied")
    assert len(text.encode()) <= 1 << 20
    starts = [request.query["start"] for request in scene.server.asked("*/progressiveText")]
    assert starts == ["0", str(2 * GIGABYTE + 35 - (1 << 20))]
    assert peak < 16 << 20
    assert scene.server.bytes_sent - sent < 16 << 20  # what lay in the buffers of the system is not read


def test_a_console_that_fits_costs_one_request(scene: Scene) -> None:
    scene.world.job("api").build("FAILURE", log=b"x" * 999 + b"\n")
    assert log_of(scene, 1000) == ("x" * 999 + "\n", True)
    assert len(scene.server.asked("*/progressiveText")) == 1


def test_a_longer_one_is_cut_at_a_line(scene: Scene) -> None:
    scene.world.job("api").build("FAILURE", log="one\ntwo\nthree\n")
    assert log_of(scene, 9) == ("three\n", False)


def test_a_console_without_line_breaks_is_cut_at_a_character(scene: Scene) -> None:
    scene.world.job("api").build("FAILURE", log="ü" * 100)
    assert log_of(scene, 51) == ("ü" * 25, False)


def test_a_console_of_empty_lines_fits_its_cap(scene: Scene) -> None:
    scene.world.job("api").build("FAILURE", log="\n" * 1000)  # each comes as two bytes
    assert log_of(scene, 1000) == ("\n" * 1000, True)
    assert log_of(scene, 500) == ("\n" * 499, False)


def test_nothing_written_is_no_log(scene: Scene) -> None:
    scene.world.job("api").build("FAILURE", log="")
    found = scene.details("api")
    assert (found.logs, found.notes) == ((), ())


def test_a_console_that_became_shorter_is_read_once(scene: Scene) -> None:
    built = scene.world.job("api").build("FAILURE", log="old\n" * 1000)
    scene.build("api")
    answers = iter(["", "short\n"])

    def rolled(exchange: faults.Exchange) -> bool:
        built.log = (next(answers) or "old\n" * 1000).encode()
        exchange.send(exchange.answer())
        return True

    scene.server.fault(rolled, path="*/progressiveText")
    assert log_of(scene, 100) == ("short\n", True)


def test_where_progressive_text_is_kept_away_the_console_is_streamed(scene: Scene) -> None:
    scene.server.progressive_text = False
    built = scene.world.job("api").build("FAILURE", log="one\ntwo\nthree\n")
    assert log_of(scene, 1000) == ("one\ntwo\nthree\n", True)
    assert log_of(scene, 9) == ("three\n", False)
    built.log = b"begin\n" * 100
    found = scene.details("api", stages=False, tests=False, log_bytes=9)
    assert (found.logs[0].whole, found.notes) == (False, (f"log: {END_NOT_READ}",))


def test_an_endless_console_is_not_streamed_to_its_end(scene: Scene) -> None:
    scene.server.progressive_text = False
    scene.world.job("api").build("FAILURE", chatter=2 * GIGABYTE, log="end\n")
    scene.build("api")
    sent = scene.server.bytes_sent
    found = scene.details("api", stages=False, tests=False, log_bytes=1 << 16)
    assert found.notes == (f"log: {END_NOT_READ}",)
    assert scene.server.bytes_sent - sent < 16 << 20


def test_a_proxy_that_drops_the_header_costs_a_bounded_stream(scene: Scene) -> None:
    built = scene.world.job("api").build("FAILURE", log="one\ntwo\nthree\n")
    scene.build("api")
    scene.server.fault(faults.replace_body(built.log, "text/plain"), path="*/progressiveText")
    assert log_of(scene, 9) == ("three\n", False)
    scene.server.heal()
    scene.server.fault(faults.replace_body(b"begin\n" * 100, "text/plain"), path="*/progressiveText")
    assert scene.details("api", log_bytes=9).notes == (f"log: {END_NOT_READ}",)


def test_a_console_that_unfolds_to_a_gigabyte_is_cut(scene: Scene) -> None:
    scene.world.job("api").build("FAILURE", log="boom\n")
    scene.build("api")
    scene.server.fault(faults.gzip_bomb(), path="*/progressiveText")
    found = scene.details("api", log_bytes=4096)
    assert (found.notes, len(found.logs[0].text)) == ((f"log: {END_NOT_READ}",), 4096)


def test_a_connection_that_breaks_is_tried_once_more(scene: Scene) -> None:
    scene.world.job("api").build("FAILURE", log="boom\n")
    scene.build("api")
    scene.server.fault(faults.drop(), path="*/progressiveText", times=1)
    assert log_of(scene) == ("boom\n", True)
    scene.server.fault(faults.drop(), path="*/progressiveText")
    assert scene.details("api").notes == ("log: the connection broke",)


def test_a_log_that_may_not_be_seen_is_a_note(scene: Scene) -> None:
    scene.world.job("api").build("FAILURE")
    scene.build("api")
    scene.server.fault(faults.answer(404), path="*/progressiveText")
    scene.server.fault(faults.answer(404), path="*/consoleText")
    assert scene.details("api").notes == ("log: HTTP 404",)


def test_an_old_jenkins_is_never_asked_for_more_than_fits_its_memory(scene: Scene) -> None:
    scene.server.version = "2.462.3"
    built = scene.world.job("api").build("FAILURE", log="short\n")
    assert log_of(scene) == ("short\n", True)
    assert scene.server.asked("*/progressiveText") == []
    built.chatter, built.log = GIGABYTE, b"ERROR: disk full\n"
    text, whole = log_of(scene)
    assert (text[-17:], whole) == ("ERROR: disk full\n", False)
    (asked,) = scene.server.asked("*/progressiveText")
    assert GIGABYTE - (1 << 20) < int(asked.query["start"]) < GIGABYTE
    small, _ = log_of(scene, 64 * 1024)
    assert small.endswith("ERROR: disk full\n")


@pytest.mark.parametrize("page", ["<h1>Console</h1>", 'Skipping all of it <a href="consoleFull">Full Log</a>'])
def test_an_old_jenkins_that_does_not_tell_the_size_tells_the_beginning(scene: Scene, page: str) -> None:
    scene.server.version = "2.462.3"
    scene.world.job("api").build("FAILURE", chatter=GIGABYTE, log="end\n")
    scene.build("api")
    scene.server.fault(faults.html(200, page), path="*/console")
    found = scene.details("api", log_bytes=4096)
    assert (found.notes, found.logs[0].whole) == ((f"log: {END_NOT_READ}",), False)
    scene.server.fault(faults.answer(403), path="*/console")
    assert scene.details("api", log_bytes=4096).notes == (f"log: {END_NOT_READ}",)
    scene.server.fault(faults.answer(500), path="*/consoleText")
    assert scene.details("api", log_bytes=4096).notes == ("log: HTTP 500",)
    scene.server.fault(faults.answer(404), path="*/consoleText")
    assert scene.details("api", log_bytes=4096).notes == ("log: HTTP 404",)


def test_all_logs_together_stay_within_the_cap(scene: Scene) -> None:
    output = "a line of the step\n" * 200
    stages = [Stage(name="Test", status="FAILED", log=output)]
    scene.world.pipeline("api").build("FAILURE", stages=stages, log=output * 10)
    found = scene.details("api", log_bytes=5000)
    assert [log.name for log in found.logs] == ["Test", None]
    assert sum(len(log.text.encode()) for log in found.logs) <= 5000
    assert [log.whole for log in scene.details("api", log_bytes=1000).logs] == [False]


def test_of_a_long_step_jenkins_shows_the_end(scene: Scene) -> None:
    stages = [Stage(name="Test", status="FAILED", log="begin\n" + "x" * 20_000 + "\nend <b>\n")]
    scene.world.pipeline("api").build("FAILURE", stages=stages, log="console\n")
    log = scene.details("api").logs[0]
    assert (log.text[-8:], log.whole, log.name) == ("end <b>\n", False, "Test")


def test_html_of_a_step_becomes_text(scene: Scene) -> None:
    scene.world.pipeline("api").build("FAILURE", stages=[Stage(name="T", status="FAILED", log="x")], log="console\n")
    build = scene.build("api")
    page = b'{"text": "<span style=\\"color: red\\">if a &lt; b &amp;&amp; c<\\/span>\\r\\n", "hasMore": false}'
    scene.server.fault(faults.replace_body(page), path="*/wfapi/log")
    assert scene.watcher.jenkins.details(build, Wanted()).logs[0].text == "if a < b && c\n"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (NOTE + b"Started\r\n" + NOTE + b"[Pipeline] node\n", "Started\n[Pipeline] node\n"),
        (b"half a note \x1b[8mha:////4AAAA", "half a note "),
        ("h\u00e4lf".encode() + "\u00fc".encode()[:1], "h\u00e4lf"),
        (b"not \xff UTF-8\n", "not \ufffd UTF-8\n"),
        (b"\x1b[31mred\x1b[0m stays\n", "\x1b[31mred\x1b[0m stays\n"),
    ],
)
def test_consoles_are_decoded_without_hidden_notes(data: bytes, text: str) -> None:
    assert decoded_log(data, whole=True) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"LCAAAAAAAAP9b85aB==\x1b[0mStarted", "Started"),
        (b"4AAAAXx+LC\x1b[0mcut\nwhole\n", "whole\n"),
        ("\u20ac".encode()[1:] + b" and more", " and more"),
        (b"x" * 70_000 + b"\nnext\n", "x" * 70_000 + "\nnext\n"),
    ],
)
def test_what_was_cut_in_front_goes(data: bytes, text: str) -> None:
    assert decoded_log(data, whole=False) == text


@pytest.mark.parametrize(
    ("console", "stage", "runner"),
    [
        ("Running on agent-7 in /home/jenkins\n", None, "agent-7"),
        ("Running on \u2018a b\u2019 in C:\\jenkins\n", None, "\u2018a b\u2019"),
        ("[2026-11-20T10:00:00.000Z] Running on agent-7 in /w\n", None, "agent-7"),
        ("Building remotely on linux-3 (docker x64) in workspace /w\n", None, "linux-3"),
        ("Building remotely on linux-3 in workspace /w\n", None, "linux-3"),
        ("Running on a1 in /w\nRunning on a2 in /w\n", None, "a2"),
        ("[unit] Running on a1 in /w\n[e2e] Running on a2 in /w\n", "e2e", "a2"),
        ("[unit] Running on a1 in /w\n[e2e] Running on a2 in /w\n", "Deploy", None),
        ("[unit] Running on a1 in /w\n[e2e] Running on a1 in /w\n", "Deploy", "a1"),
        ("Building in workspace /w\n+ echo Running on empty\n", None, None),
    ],
)
def test_consoles_name_the_agent(console: str, stage: str | None, runner: str | None) -> None:
    assert runner_in(console, stage) == runner


def test_consoles_tell_of_waiting_and_of_timeouts() -> None:
    assert why_queued("x\nStill waiting to schedule task\nWaiting for next available executor\n") == [
        "queue: Waiting for next available executor"
    ]
    assert why_queued("Scheduled\n") == []
    assert timeout_in("12:00:01 Build timed out (after 5 minutes). Marking it.\n", cancelled=False) == (
        "Build timed out (after 5 minutes). Marking it."
    )
