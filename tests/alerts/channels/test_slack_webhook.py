"""Posting through a webhook: delivered only when Slack says ok, repeated only with a mark, never with the URL."""

import json
import logging
import socket
from pathlib import Path
from typing import Any

import pytest

from alerts.channels import _slack_http
from alerts.channels._base import ChannelError
from alerts.channels.slack import PLUGIN, Slack, SlackSettings
from domain.alert import Notification
from domain.message import Link
from tests.alerts.channels.conftest import Authority
from tests.support.builders import message, notification
from tests.support.fault_server import Behaviour, answering, cut, delayed, dripping, html, redirecting, resetting
from tests.support.slack_server import HOOK, SlackServer


def _channel(server: SlackServer, **more: Any) -> Slack:
    return Slack("team", SlackSettings.model_validate({"kind": "slack", "webhook_url": server.hook_url, **more}))


def _refused(slack: SlackServer, behaviour: Behaviour, note: Notification | None = None) -> ChannelError:
    slack.on(HOOK, behaviour)
    with pytest.raises(ChannelError) as caught:
        _channel(slack).send(note or notification(id=1))
    assert "canary" not in str(caught.value)
    return caught.value


def test_a_message_is_posted_with_blocks_and_text_and_no_unfurling(slack: SlackServer) -> None:
    assert _channel(slack).send(notification(id=1)) == {}
    (posted,) = slack.messages
    assert posted["text"] == "🔴 deploy / main failed"
    assert posted["blocks"][0]["type"] == "header"
    assert posted["unfurl_links"] is False
    assert posted["unfurl_media"] is False
    assert not {"link_names", "parse"} & posted.keys()


def test_an_answer_with_ok_and_ts_counts_and_becomes_the_receipt(slack: SlackServer) -> None:
    slack.on(HOOK, answering(json.dumps({"ok": True, "ts": "1.2", "channel": "C1", "more": 1})))
    assert _channel(slack).send(notification(id=1)) == {"ts": "1.2", "channel": "C1"}


def test_tls_is_verified_with_the_ca_file(authority: Authority) -> None:
    with SlackServer(tls=authority.server) as slack:
        assert _channel(slack, ca_file=authority.ca_file).send(notification(id=1)) == {}
        with pytest.raises(ChannelError, match="certificate is not trusted") as caught:
            _channel(slack).send(notification(id=1))
        assert caught.value.permanent
        assert caught.value.channel_wide
        assert len(slack.messages) == 1


@pytest.mark.parametrize(
    ("status", "body", "permanent", "channel_wide"),
    [
        (403, "invalid_token", True, True),
        (403, "action_prohibited", True, True),
        (404, "no_service", True, True),
        (404, "<html>not found</html>", True, True),
        (410, "channel_is_archived", True, True),
        (401, "", True, True),
        (400, "no_active_hooks", True, True),
        (500, "rollup_error", False, False),
        (502, "<html>bad gateway</html>", False, False),
        (503, "", False, False),
        (200, '{"ok": false, "error": "no_service"}', True, True),
        (200, '{"ok": true}', False, True),
        (200, "[]", False, True),
        (200, "[" * 100_000, False, True),
        (200, "nok", True, False),
        (200, "", False, True),
        (204, "", True, False),
    ],
)
def test_refusals_are_told_apart(
    slack: SlackServer,
    status: int,
    body: str,
    permanent: bool,  # noqa: FBT001
    channel_wide: bool,  # noqa: FBT001
) -> None:
    error = _refused(slack, answering(body, status=status, content_type="text/html"))
    assert (error.permanent, error.channel_wide, error.ambiguous) == (permanent, channel_wide, False)


@pytest.mark.parametrize("behaviour", [html(200), redirecting("/elsewhere"), redirecting("/elsewhere", 307)])
def test_a_login_page_or_redirect_is_not_delivered_and_not_followed(slack: SlackServer, behaviour: Behaviour) -> None:
    error = _refused(slack, behaviour)
    assert not error.permanent
    assert error.channel_wide
    assert "not Slack's" in str(error)
    assert len(slack.exchanges) == 1


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "90"}, "rate_limited", 90.0),
        ({}, '{"ok": false, "error": "ratelimited", "retry_after": 7}', 7.0),
        ({"Retry-After": "0"}, "", 1.0),
        ({"Retry-After": "999999999"}, "", 3600.0),
        ({"Retry-After": "nan"}, "", None),
        ({"Retry-After": "Fri, 20 Nov 2026 12:00:00 GMT"}, "", None),
        ({}, "", None),
    ],
)
def test_a_rate_limit_pauses_the_whole_channel(
    slack: SlackServer, headers: dict[str, str], body: str, seconds: float | None
) -> None:
    error = _refused(slack, answering(body, status=429, headers=headers))
    assert (error.retry_after, error.channel_wide, error.permanent) == (seconds, True, False)


@pytest.mark.parametrize("word", ["invalid_blocks", "msg_blocks_too_long", "invalid_payload", "invalid_blocks_format"])
def test_blocks_that_slack_refuses_are_sent_once_more_as_plain_text(slack: SlackServer, word: str) -> None:
    slack.next(HOOK, answering(word, status=400))
    _channel(slack).send(notification(id=1, message=message(details="boom")))
    (posted,) = slack.messages
    assert "blocks" not in posted
    assert "boom" in posted["text"]


def test_what_slack_refuses_also_as_plain_text_is_permanent_for_this_message_only(slack: SlackServer) -> None:
    error = _refused(slack, answering("invalid_payload", status=400))
    assert error.permanent
    assert not error.channel_wide
    assert len(slack.exchanges) == 2


@pytest.mark.parametrize("fault", [resetting(), cut(b"ok", 1), answering("", status=504)])
def test_no_answer_after_the_message_was_sent_is_ambiguous(slack: SlackServer, fault: Behaviour) -> None:
    error = _refused(slack, slack.accepting_but(fault))
    assert error.ambiguous
    assert not error.permanent
    assert len(slack.messages) == 1


@pytest.mark.parametrize(
    "fault",
    [
        delayed(5, answering("ok")),
        dripping(b"ok" * 50, every=0.1),
        dripping(b"ok" * 50, every=0.1, headers_too=True),
    ],
)
def test_a_slow_answer_is_cut_at_the_deadline(
    slack: SlackServer, fault: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_slack_http.exchange, "__kwdefaults__", {"seconds": 0.4})
    error = _refused(slack, fault)
    assert error.ambiguous
    assert "no answer within" in str(error)


def test_nothing_listening_is_a_retry_for_the_whole_channel() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    channel = Slack(
        "team", SlackSettings.model_validate({"kind": "slack", "webhook_url": f"http://127.0.0.1:{port}/canary"})
    )
    with pytest.raises(ChannelError, match="Connection refused") as caught:
        channel.send(notification(id=1))
    assert (caught.value.ambiguous, caught.value.permanent, caught.value.channel_wide) == (False, False, True)


def test_after_an_unanswered_attempt_the_message_says_that_it_may_be_a_repeat(slack: SlackServer) -> None:
    _channel(slack).send(notification(id=1, ambiguous=True))
    assert slack.messages[0]["text"] == "🔴 (repeat?) deploy / main failed"
    assert slack.messages[0]["blocks"][0]["text"]["text"] == "🔴 (repeat?) deploy / main failed"


@pytest.mark.parametrize("behaviour", [answering("", status=503), answering("", status=429), resetting()])
def test_the_doubt_stays_until_slack_accepts(slack: SlackServer, behaviour: Behaviour) -> None:
    assert _refused(slack, behaviour, notification(id=1, ambiguous=True)).ambiguous


def test_a_proxy_from_the_environment_is_not_used(slack: SlackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    _channel(slack).send(notification(id=1))
    assert len(slack.messages) == 1


def test_a_probe_only_reaches_the_host(slack: SlackServer) -> None:
    channel = _channel(slack)
    assert "test-channel" in channel.probe()
    assert slack.exchanges == []
    channel.close()


@pytest.mark.parametrize(
    "behaviour", [answering("ok"), answering("canary-hook", status=400), html(), resetting(), redirecting("/canary")]
)
def test_the_url_is_in_no_log_at_debug_level(
    slack: SlackServer, behaviour: Behaviour, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    slack.on(HOOK, behaviour)
    try:
        _channel(slack).send(notification(id=1))
    except ChannelError as error:
        logging.getLogger("test").exception("failed")
        assert "canary" not in repr(error)  # noqa: PT017 - some of these answers raise, some do not
    assert "canary" not in caplog.text
    assert "canary" not in "".join(capfd.readouterr())


def test_with_a_template_its_blocks_are_posted_and_ours_while_it_fails(slack: SlackServer) -> None:
    settings = SlackSettings.model_validate({"kind": "slack", "webhook_url": slack.hook_url})
    text = '[{"type": "section", "text": {"type": "mrkdwn", "text": {{ message.links[0].label|tojson }}}}]'
    assert PLUGIN.template is not None
    channel = PLUGIN.channel("team", settings, template=PLUGIN.template(Path("card.j2"), text))  # type: ignore[call-arg]
    channel.send(notification(id=1, message=message(links=(Link(label="<!channel>", url="https://ci.example.com"),))))
    channel.send(notification(id=2))
    theirs, ours = (posted["blocks"] for posted in slack.messages)
    assert theirs == [{"type": "section", "text": {"type": "mrkdwn", "text": "&lt;!channel&gt;"}}]
    assert ours[0]["type"] == "header"
    assert "card.j2:1: " in ours[-1]["elements"][1]["text"]
