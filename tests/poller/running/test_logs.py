import io
import json
import logging
from collections.abc import Iterator

import pytest

from poller.running.logs import form_for, set_up

SECRET = "s3cr3t-canary"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def written(form: str, log: logging.Logger | None = None) -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    set_up("info", form, [SECRET], stream)
    return log or logging.getLogger("poller.test"), stream


@pytest.mark.parametrize("form", ["text", "journal", "json"])
def test_no_form_shows_a_secret_or_lets_foreign_text_move_the_cursor(form: str) -> None:
    log, stream = written(form)
    try:
        int(f"https://hooks.example.com/{SECRET}")
    except ValueError:
        log.exception("branch=%s token=%s", "\x1b]0;owned\x07\u202e", SECRET)
    text = stream.getvalue()
    assert SECRET not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "ValueError" in text


def test_every_line_for_the_journal_carries_its_priority() -> None:
    log, stream = written("journal")
    log.warning("one\ntwo")
    log.error("three")
    assert stream.getvalue().splitlines() == ["<4>poller.test: one", "<4>two", "<3>poller.test: three"]


def test_json_is_one_object_a_line() -> None:
    log, stream = written("json")
    log.info("poll failed target=%s", "ci")
    (line,) = stream.getvalue().splitlines()
    assert (
        json.loads(line).items()
        >= {"level": "info", "logger": "poller.test", "message": "poll failed target=ci"}.items()
    )


def test_text_indents_what_follows_the_first_line() -> None:
    log, stream = written("text")
    log.info("one\ntwo")
    first, second = stream.getvalue().splitlines()
    assert first.endswith("INFO    poller.test: one")
    assert second == "    two"


def test_chatty_libraries_speak_up_only_when_something_is_wrong() -> None:
    _, stream = written("text")
    logging.getLogger("apscheduler.scheduler").info("added job")
    logging.getLogger("urllib3").warning("retrying")
    assert "added job" not in stream.getvalue()
    assert "retrying" in stream.getvalue()


def test_the_journal_is_recognized() -> None:
    assert form_for({"JOURNAL_STREAM": "8:1"}) == "journal"
    assert form_for({}) == "text"
