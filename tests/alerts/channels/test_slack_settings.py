"""What may stand under a channel of kind slack, and that mistakes are told without the secret."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.channels._base import ChannelError
from alerts.channels.slack import PLUGIN, SlackSettings

HOOK = "https://hooks.slack.com/services/T0/B0/canary"


@pytest.mark.parametrize(
    "values",
    [
        {"webhook_url": HOOK},
        {"webhook_url": "http://127.0.0.1:8080/hook"},
        {"token": "xoxb-1", "channel": "#ci"},
        {"token": " xoxb-1\n", "channel": "C0000000001", "api_url": "http://127.0.0.1:8080/api/"},
    ],
)
def test_a_webhook_or_a_token_with_a_channel_is_enough(values: dict[str, Any]) -> None:
    settings = PLUGIN.settings.model_validate({"kind": "slack", **values})
    assert "canary" not in repr(settings)
    assert PLUGIN.channel("team", settings).min_interval == (1.2 if "token" in values else 1.0)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "either webhook_url, or token and channel"),
        ({"webhook_url": HOOK, "token": "xoxb-canary", "channel": "#ci"}, "either webhook_url, or token and channel"),
        ({"token": "xoxb-canary"}, "belong together"),
        ({"webhook_url": HOOK, "channel": "#ci"}, "belong together"),
        ({"webhook_url": "hooks.slack.com/canary"}, "complete URL"),
        ({"webhook_url": "https://user:canary@hooks.slack.com/x"}, "without a user name"),
        ({"webhook_url": "https://hooks.slack.com:nix/canary"}, "complete URL"),
        ({"webhook_url": "https://hooks.slack.com/canary/é"}, "complete URL"),
        ({"webhook_url": "file:///canary"}, "complete URL"),
        ({"token": "xoxb canary", "channel": "#ci"}, "bot token"),
        ({"token": "xoxb-canary-é", "channel": "#ci"}, "bot token"),
        ({"token": "", "channel": "#ci"}, "bot token"),
        ({"webhook_url": HOOK, "ca_file": "/nowhere/ca.pem"}, "not point to a file"),
        ({"webhook_url": HOOK, "canal": "x"}, "Extra inputs"),
    ],
)
def test_mistakes_are_told_without_the_secret(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told) as caught:
        SlackSettings.model_validate({"kind": "slack", **values})
    assert "canary" not in str(caught.value)


def test_a_ca_file_without_certificates_is_a_channel_error(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("nothing")
    channel = PLUGIN.channel(
        "team", SlackSettings.model_validate({"kind": "slack", "webhook_url": HOOK, "ca_file": ca_file})
    )
    with pytest.raises(ChannelError, match=r"ca\.pem holds no certificates") as caught:
        channel.probe()
    assert caught.value.permanent
