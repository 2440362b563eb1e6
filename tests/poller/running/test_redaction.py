import base64
import io
import json
import logging
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.running.redaction import HIDDEN, Redaction

TOKEN = "s3cr3t/t+ken ü="
WEBHOOK = "https://hooks.slack.com/services/T00/B00/abcdefghijkl"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a root handler with the filter writes."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(Redaction([TOKEN, WEBHOOK]))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize(
    "form",
    [
        TOKEN,
        quote(TOKEN),
        quote(TOKEN, safe=""),
        quote(TOKEN, safe="").lower(),
        quote_plus(TOKEN),
        repr(TOKEN)[1:-1],
        json.dumps(TOKEN)[1:-1],
        base64.b64encode(TOKEN.encode()).decode(),
        base64.urlsafe_b64encode(TOKEN.encode()).decode(),
    ],
)
def test_a_secret_is_hidden_in_every_form_in_which_it_travels(form: str) -> None:
    assert form.rstrip("=") not in Redaction([TOKEN]).redact(f"before {form} after").replace(HIDDEN, "")
    assert HIDDEN in Redaction([TOKEN]).redact(f"before {form} after")


@given(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=12),
    st.text("abc123-_", min_size=8, max_size=40),
)
def test_a_secret_is_hidden_inside_the_base64_of_a_longer_text(user: str, secret: str) -> None:
    encoded = base64.b64encode(f"{user}:{secret}".encode()).decode()
    hidden = Redaction([secret]).redact(encoded)
    assert HIDDEN in hidden
    rest = hidden.split(HIDDEN)
    assert len("".join(rest)) <= len(encoded) - len(secret)


def test_of_a_url_the_path_and_the_password_are_hidden_too() -> None:
    redaction = Redaction([WEBHOOK, "postgresql://u:passw0rd@h/db?key=abcdef"])
    assert "abcdefghijkl" not in redaction.redact("Max retries exceeded with url: /services/T00/B00/abcdefghijkl (x)")
    assert redaction.redact("login with passw0rd") == f"login with {HIDDEN}"
    assert redaction.redact("GET /?key=abcdef") == f"GET /?{HIDDEN}"
    assert Redaction(["http://[broken"]).redact("http://[broken") == HIDDEN


def test_each_line_of_a_private_key_is_hidden() -> None:
    key = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA0123\n-----END KEY-----\n"
    redaction = Redaction([key])
    assert redaction.redact("x MIIEpAIBAAKCAQEA0123 x -----BEGIN KEY-----") == f"x {HIDDEN} x -----BEGIN KEY-----"
    assert redaction.redact(repr(key)) == f"'{HIDDEN}'"


def test_short_secrets_are_left_out_and_nothing_is_hidden_without_secrets() -> None:
    assert Redaction(["main"]).redact("main branch") == "main branch"
    assert Redaction().redact("text") == "text"
    assert Redaction().filter(logging.makeLogRecord({"msg": "x"}))


def test_secrets_of_earlier_configurations_stay_hidden() -> None:
    redaction = Redaction(["first-secret"])
    redaction.learn(["second-secret"])
    redaction.learn([])
    assert redaction.redact("first-secret second-secret") == f"{HIDDEN} {HIDDEN}"


def test_messages_arguments_and_extras_are_hidden(written: io.StringIO) -> None:
    formatter = logging.Formatter("%(message)s %(extra)s")
    extra = {"extra": {"a": [WEBHOOK, 5, None, {"b": (TOKEN,)}], "e": ValueError(WEBHOOK), "p": 5j}}
    logging.getLogger("any").handlers.clear()
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is written:
            handler.setFormatter(formatter)
    logging.getLogger("any").warning("posting to %s with %r", WEBHOOK, TOKEN, extra=extra)
    line = written.getvalue()
    assert line.startswith(f"posting to {HIDDEN} with '{HIDDEN}'")
    assert "abcdefghijkl" not in line
    assert "5j" in line


def test_exceptions_and_stacks_are_hidden(written: io.StringIO) -> None:
    def post() -> None:
        raise ConnectionError(f"cannot reach {WEBHOOK}")

    try:
        post()
    except ConnectionError:
        logging.getLogger("any").exception("failed", stack_info=True)
    text = written.getvalue()
    assert "abcdefghijkl" not in text
    assert f"ConnectionError: cannot reach {HIDDEN}" in text
    assert "Stack (most recent call last)" in text


def test_a_wrong_format_hides_no_less(written: io.StringIO) -> None:
    logging.getLogger("any").warning("%d", WEBHOOK)
    assert "abcdefghijkl" not in written.getvalue()
    assert HIDDEN in written.getvalue()
