"""What holds for every channel. A new module under alerts/channels is tested here as soon as it has a rig."""

import importlib
import inspect
import json
import logging
import pkgutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError

import alerts.channels
from alerts.channels._base import Channel, ChannelError, ChannelPlugin, ChannelSettings
from domain.alert import Notification, Reason
from domain.message import Fact, Link, Tone
from tests.support.builders import message, notification
from tests.support.hostile import HOSTILE
from tests.support.mail_server import MailServer
from tests.support.slack_server import TOKEN, SlackServer

KINDS = [each.name for each in pkgutil.iter_modules(alerts.channels.__path__) if not each.name.startswith("_")]


@dataclass(frozen=True)
class Rig:
    """Settings of a channel that works, and the text of everything that arrived."""

    kind: str
    settings: Mapping[str, Any]
    arrived: Callable[[], list[str]]


Start = Callable[[pytest.CaptureFixture[str]], Any]


@contextmanager
def _console(capsys: pytest.CaptureFixture[str]) -> Iterator[Rig]:
    seen: list[str] = []

    def arrived() -> list[str]:
        seen.extend(each for each in capsys.readouterr().out.split("\n\n") if each)
        return seen

    yield Rig("console", {}, arrived)


@contextmanager
def _webhook(_: pytest.CaptureFixture[str]) -> Iterator[Rig]:
    with SlackServer() as server:
        yield Rig("slack", {"webhook_url": server.hook_url}, lambda: [each["text"] for each in server.messages])


@contextmanager
def _bot(_: pytest.CaptureFixture[str]) -> Iterator[Rig]:
    with SlackServer() as server:
        settings = {"token": TOKEN, "channel": "#ci", "api_url": server.api_url}
        yield Rig("slack", settings, lambda: [each["text"] for each in server.messages])


@contextmanager
def _smtp(_: pytest.CaptureFixture[str]) -> Iterator[Rig]:
    with MailServer() as server:
        settings = {"host": "127.0.0.1", "port": server.port, "starttls": False, "from": "ci@x.org", "to": "team@x.org",
                    "username": "ci", "password": "canary-password"}  # fmt: skip
        yield Rig("smtp", settings, lambda: [str(each.mail["Subject"]) for each in server.received])


RIGS: dict[str, Start] = {"console": _console, "slack-webhook": _webhook, "slack-bot": _bot, "smtp": _smtp}


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Iterator[Rig]:
    with RIGS[request.param](capsys) as started:
        yield started


def _module(kind: str) -> ModuleType:
    return importlib.import_module(f"alerts.channels.{kind}")


def _settings(rig: Rig) -> ChannelSettings:
    plugin: ChannelPlugin = _module(rig.kind).PLUGIN
    return plugin.settings.model_validate({"kind": rig.kind, **rig.settings})


def _channel(rig: Rig) -> Channel:
    channel: Channel = _module(rig.kind).PLUGIN.channel("team", _settings(rig))
    return channel


def _note(number: int, **changes: Any) -> Notification:
    return notification(id=number, alert_id=number, **changes)


def test_every_channel_has_a_rig() -> None:
    assert set(KINDS) == {name.partition("-")[0] for name in RIGS}, "a new channel needs an entry in RIGS"


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_line_exports_the_plugin_and_the_kind_is_the_name_of_the_file(kind: str) -> None:
    module = _module(kind)
    assert inspect.getsource(module).rstrip().splitlines()[-1].startswith("PLUGIN = ChannelPlugin(")
    schema = module.PLUGIN.settings.model_json_schema()
    assert schema["properties"]["kind"]["const"] == kind
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("kind", KINDS)
def test_a_channel_module_is_at_most_170_lines(kind: str) -> None:
    assert len(inspect.getsource(_module(kind)).splitlines()) <= 170


def test_importing_all_channels_loads_nothing_heavy() -> None:
    code = f"import sys; {'; '.join(f'import alerts.channels.{kind}' for kind in KINDS)}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"slack_sdk", "jinja2", "rich", "requests"} & set(loaded)


def test_unknown_keys_are_refused_without_showing_values(rig: Rig) -> None:
    with pytest.raises(ValidationError) as caught:
        _module(rig.kind).PLUGIN.settings.model_validate({"kind": rig.kind, **rig.settings, "kannal": "canary"})
    assert "kannal" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_secrets_are_not_shown(rig: Rig) -> None:
    assert "canary" not in repr(_settings(rig)) + _settings(rig).model_dump_json()


def test_making_a_channel_reaches_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", None)
    channel = _channel(rig)
    assert channel.name == "team"
    assert channel.min_interval >= 0
    channel.close()


def test_a_probe_says_what_it_found_and_sends_nothing(rig: Rig) -> None:
    assert _channel(rig).probe()
    assert rig.arrived() == []


def test_a_message_arrives_once_with_its_headline_and_the_receipt_is_json(rig: Rig) -> None:
    receipt = _channel(rig).send(_note(1))
    (text,) = rig.arrived()
    assert "deploy / main failed" in text
    assert json.loads(json.dumps(receipt)) == receipt


def test_the_whole_life_of_an_alert_arrives_in_order(rig: Rig) -> None:
    channel = _channel(rig)
    root = json.loads(json.dumps(dict(channel.send(_note(1)))))
    for transition, reason in enumerate((Reason.UPDATE, Reason.REMINDER, Reason.RESOLVED, Reason.CLOSED), 2):
        said = message(headline=f"now {reason}", tone=Tone.NOTE)
        channel.send(_note(1, transition=transition, reason=reason, message=said, root=root))
    texts = rig.arrived()
    assert len(texts) == 5
    for word, text in zip(("update", "reminder", "resolved", "closed"), texts[1:], strict=True):
        assert f"now {word}" in text


def test_no_text_makes_a_message_unsendable(rig: Rig) -> None:
    channel = _channel(rig)
    for number, hostile in enumerate(HOSTILE, 1):
        said = message(
            headline=f"{number}. {hostile}",
            facts=(Fact(name=hostile, value=hostile, url=hostile),) * 3,
            details=hostile,
            links=(Link(label=hostile, url=hostile),),
            thread=hostile,
        )
        channel.send(_note(number, message=said))
    text = "\n".join(rig.arrived())
    assert [number for number in range(1, len(HOSTILE) + 1) if f" {number}. " not in text] == []


@pytest.mark.parametrize("rig", [name for name in RIGS if name != "console"], indirect=True)
def test_an_unreachable_server_is_a_channel_error_without_secrets(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = _channel(rig)

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    for attempt in (lambda: channel.send(_note(1)), channel.probe):
        with pytest.raises(ChannelError) as caught:
            attempt()
        assert not caught.value.permanent
        assert not caught.value.ambiguous
        assert caught.value.channel_wide
        assert "canary" not in str(caught.value) + caplog.text
