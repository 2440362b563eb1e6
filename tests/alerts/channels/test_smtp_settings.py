"""What may stand under a channel of kind smtp."""

import logging
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.channels.smtp import PLUGIN, SmtpSettings

LEAST: dict[str, Any] = {
    "kind": "smtp",
    "host": "smtp.example.com",
    "from": "CI <ci@example.com>",
    "to": ["team@example.com"],
}


@pytest.mark.parametrize(
    ("values", "at_once", "encrypted"),
    [
        ({}, False, True),
        ({"port": 465}, True, True),
        ({"port": 2525, "tls": True}, True, True),
        ({"port": 465, "starttls": True}, False, True),
        ({"starttls": False}, False, False),
        ({"host": "localhost", "port": 25}, False, True),
        ({"port": 465, "tls": False, "starttls": False}, False, False),
    ],
)
def test_mail_is_encrypted_unless_clear_text_is_asked_for(
    values: dict[str, Any],
    at_once: bool,  # noqa: FBT001
    encrypted: bool,  # noqa: FBT001
) -> None:
    settings = SmtpSettings.model_validate(LEAST | values)
    assert (settings.at_once, settings.encrypted) == (at_once, encrypted)


def test_recipients_may_be_one_string() -> None:
    assert SmtpSettings.model_validate(LEAST | {"to": "a@x.org, B <b@x.org>"}).to == ("a@x.org", "B <b@x.org>")


def test_the_sender_may_be_given_by_its_field_name() -> None:
    values = {key: value for key, value in LEAST.items() if key != "from"}
    assert SmtpSettings.model_validate(values | {"sender": "ci@example.com"}).sender == "ci@example.com"


def test_foreign_domains_are_accepted() -> None:
    SmtpSettings.model_validate(LEAST | {"to": ["team@exämple.com"]})


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"from": "nobody"}, "like ci@example.com"),
        ({"from": "a@b\r\nBcc: c@d"}, "like ci@example.com"),
        ({"from": ""}, "like ci@example.com"),
        ({"to": []}, "at least 1"),
        ({"to": ""}, "at least 1"),
        ({"to": ["ünï@example.com"]}, "only the domain may be non-ASCII"),
        ({"to": [f"a@{'x' * 70}ä.com"]}, "is not an address"),
        ({"tls": True, "starttls": True}, "exclude each other"),
        ({"username": "ci"}, "belong together"),
        ({"username": "ci", "password": "canarÿ"}, "must be ASCII"),
        ({"port": 0}, "greater than"),
        ({"hosts": "x"}, "Extra inputs"),
    ],
)
def test_mistakes_are_told_without_the_password(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told) as caught:
        SmtpSettings.model_validate(LEAST | values)
    assert "canar" not in str(caught.value)


def test_the_password_is_not_shown() -> None:
    assert "canary" not in repr(SmtpSettings.model_validate(LEAST | {"username": "ci", "password": "canary"}))


def test_a_server_that_is_not_verified_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        PLUGIN.channel("mail", SmtpSettings.model_validate(LEAST | {"verify": False}))
    assert "channel=mail host=smtp.example.com" in caplog.text
