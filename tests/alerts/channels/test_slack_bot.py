"""Posting with a token: one card per alert, and no repeat even when an answer is lost."""

import dataclasses
import logging
import socket
from typing import Any

import pytest

from alerts.channels import _slack_bot
from alerts.channels._base import ChannelError
from alerts.channels.slack import Slack, SlackSettings
from domain.alert import Notification, Reason
from domain.message import Tone
from tests.support.builders import message, notification
from tests.support.fault_server import Behaviour, answering, cut, delayed, html, redirecting, resetting
from tests.support.slack_server import CHANNEL_ID, TOKEN, SlackServer, refusing

POST = "/api/chat.postMessage"
UPDATE = "/api/chat.update"
HISTORY = "/api/conversations.history"
REPLIES = "/api/conversations.replies"


def _channel(slack: SlackServer, channel: str = "#ci", token: str = TOKEN) -> Slack:
    values = {"kind": "slack", "token": token, "channel": channel, "api_url": slack.api_url}
    return Slack("team", SlackSettings.model_validate(values))


def _fixed(root: Any, **changes: Any) -> Notification:
    wanted = message(tone=Tone.FIXED, headline="deploy / main is fixed")
    values = {"message": wanted, "transition": 2, "reason": Reason.RESOLVED, "id": 2, "root": root}
    return notification(**(values | changes))


def _error(channel: Slack, note: Notification) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        channel.send(note)
    assert "canary" not in str(caught.value)
    return caught.value


def test_the_first_message_is_a_card_that_carries_its_delivery(slack: SlackServer) -> None:
    receipt = _channel(slack).send(notification(id=7))
    (card,) = slack.messages
    assert receipt == {"channel": CHANNEL_ID, "ts": card["ts"]}
    assert card["text"] == "🔴 deploy / main failed"
    assert card["metadata"] == {"event_type": "buildwatch", "event_payload": {"delivery": "1a1f8d3ea00.1.1.7"}}
    assert card["unfurl_links"] is False
    assert "thread_ts" not in card
    assert not {"link_names", "parse"} & card.keys()


def test_a_change_edits_the_card_and_is_told_in_its_thread(slack: SlackServer) -> None:
    channel = _channel(slack)
    root = channel.send(notification(id=1))
    receipt = channel.send(_fixed(root))
    card, reply = slack.messages
    assert card["text"] == "🟢 deploy / main is fixed"
    assert card["metadata"]["event_payload"] == {"delivery": "1a1f8d3ea00.1.1.1"}
    assert reply["text"] == "🟢 deploy / main is fixed"
    assert reply["thread_ts"] == card["ts"]
    assert receipt == {"channel": CHANNEL_ID, "ts": reply["ts"]}


@pytest.mark.parametrize("root", [{}, {"status": 200}, {"ts": "1.2"}])
def test_without_a_card_to_edit_a_new_one_is_posted(slack: SlackServer, root: dict[str, Any]) -> None:
    _channel(slack).send(_fixed(root))
    assert [each.path for each in slack.exchanges] == [POST]


@pytest.mark.parametrize(
    "word", ["message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found"]
)
def test_a_card_that_is_out_of_reach_is_replaced_by_a_new_one(slack: SlackServer, word: str) -> None:
    slack.next(UPDATE, refusing(word))
    _channel(slack).send(_fixed({"channel": "C0000000404", "ts": "1.2"}))
    (card,) = slack.messages
    assert "thread_ts" not in card
    assert card["channel"] == CHANNEL_ID


def test_a_thread_that_is_gone_is_replaced_by_a_new_card(slack: SlackServer) -> None:
    channel = _channel(slack)
    root = channel.send(notification(id=1))
    slack.next(POST, refusing("thread_not_found"))
    channel.send(_fixed(root))
    assert "thread_ts" not in slack.messages[-1]


def test_a_retry_does_not_edit_again(slack: SlackServer) -> None:
    channel = _channel(slack)
    root = channel.send(notification(id=1))
    slack.next(POST, answering("", status=503))
    error = _error(channel, _fixed(root))
    assert error.progress == {"edited": True}
    channel.send(_fixed(root, progress=error.progress))
    assert len(slack.asked("chat.update")) == 1
    assert len(slack.messages) == 2


@pytest.mark.parametrize("fault", [resetting(), cut(b'{"ok": true}', 3), answering("", status=502)])
def test_an_edit_without_an_answer_is_no_possible_repeat(slack: SlackServer, fault: Behaviour) -> None:
    channel = _channel(slack)
    root = channel.send(notification(id=1))
    slack.next(UPDATE, fault)
    error = _error(channel, _fixed(root))
    assert (error.ambiguous, error.permanent) == (False, False)


@pytest.mark.parametrize(
    "fault", [resetting(), cut(b'{"ok": true}', 3), answering("", status=500), refusing("fatal_error")]
)
@pytest.mark.parametrize("where", ["#ci", "ci", CHANNEL_ID])
def test_a_card_that_was_posted_without_an_answer_is_found_instead_of_repeated(
    slack: SlackServer, fault: Behaviour, where: str
) -> None:
    slack.next(POST, slack.accepting_but(fault))
    note = notification(id=1)
    assert _error(_channel(slack, where), note).ambiguous
    receipt = _channel(slack, where).send(dataclasses.replace(note, ambiguous=True))  # after a restart
    (card,) = slack.messages
    assert receipt == {"channel": CHANNEL_ID, "ts": card["ts"]}


def test_a_reply_that_was_posted_without_an_answer_is_found_instead_of_repeated(slack: SlackServer) -> None:
    channel = _channel(slack)
    root = channel.send(notification(id=1))
    slack.next(POST, slack.accepting_but(resetting()))
    error = _error(channel, _fixed(root))
    assert error.ambiguous
    receipt = channel.send(_fixed(root, ambiguous=True, progress=error.progress))
    assert [each["ts"] for each in slack.messages] == [root["ts"], receipt["ts"]]


def test_what_was_not_posted_is_posted_without_a_mark(slack: SlackServer) -> None:
    _channel(slack).send(notification(id=1, ambiguous=True))
    assert slack.messages[0]["text"] == "🔴 deploy / main failed"


def test_a_message_of_another_store_with_the_same_numbers_is_not_taken_for_ours(slack: SlackServer) -> None:
    channel = _channel(slack)
    channel.send(notification(id=1))
    ours = notification(id=1)
    channel.send(dataclasses.replace(ours, ambiguous=True, created_at=ours.created_at.replace(microsecond=1000)))
    assert len(slack.messages) == 2


def test_the_search_goes_through_several_pages(slack: SlackServer) -> None:
    channel = _channel(slack)
    wanted = channel.send(notification(id=1))
    slack.messages += [dict(slack.messages[0], ts=f"9.{number}", metadata=None) for number in range(250)]
    assert channel.send(notification(id=1, ambiguous=True)) == wanted
    assert len(slack.asked("conversations.history")) == 3


@pytest.mark.parametrize("word", ["missing_scope", "unknown_method", "not_in_channel"])
def test_when_slack_cannot_be_asked_the_message_is_marked(slack: SlackServer, word: str) -> None:
    slack.next(HISTORY, refusing(word))
    _channel(slack, CHANNEL_ID).send(notification(id=1, ambiguous=True))
    assert slack.messages[0]["text"] == "🔴 (repeat?) deploy / main failed"


@pytest.mark.parametrize("behaviour", [answering("", status=503), refusing("ratelimited", 429), html(), resetting()])
def test_when_slack_cannot_be_asked_now_the_doubt_stays(slack: SlackServer, behaviour: Behaviour) -> None:
    slack.next(HISTORY, behaviour)
    error = _error(_channel(slack, CHANNEL_ID), notification(id=1, ambiguous=True))
    assert error.ambiguous
    assert not error.permanent
    assert slack.messages == []


def test_when_slack_cannot_be_reached_the_doubt_stays(slack: SlackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    channel = _channel(slack, CHANNEL_ID)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert _error(channel, notification(id=1, ambiguous=True)).ambiguous


def test_a_private_channel_is_found_without_the_scope_for_public_ones(slack: SlackServer) -> None:
    note = notification(id=1)
    _channel(slack).send(note)
    slack.next("/api/conversations.list", refusing("missing_scope"))
    _channel(slack).send(dataclasses.replace(note, ambiguous=True))
    assert len(slack.messages) == 1
    assert [each["types"] for each in slack.asked("conversations.list")] == [
        "public_channel",
        "private_channel",
        "private_channel",
    ]


def test_when_the_list_is_not_available_now_the_doubt_stays(slack: SlackServer) -> None:
    slack.next("/api/conversations.list", answering("", status=503))
    assert _error(_channel(slack), notification(id=1, ambiguous=True)).ambiguous


def test_a_channel_that_is_not_in_the_list_is_asked_for_by_name(slack: SlackServer) -> None:
    _channel(slack, "#secret").send(notification(id=1, ambiguous=True))
    assert slack.asked("conversations.history")[0]["channel"] == "#secret"


@pytest.mark.parametrize(
    "word",
    ["channel_not_found", "is_archived", "not_in_channel", "invalid_auth", "token_revoked", "missing_scope",
     "account_inactive", "message_limit_exceeded", "restricted_action"],
)  # fmt: skip
def test_a_broken_channel_is_permanent_for_all_messages(slack: SlackServer, word: str) -> None:
    slack.next(POST, refusing(word))
    error = _error(_channel(slack), notification(id=1))
    assert (error.permanent, error.channel_wide) == (True, True)
    assert word in str(error)
    assert len(slack.exchanges) == 1


def test_a_wrong_token_is_told_without_it(slack: SlackServer) -> None:
    error = _error(_channel(slack, token="xoxb-canary-old"), notification(id=1))
    assert error.permanent
    assert "copy the bot token" in str(error)


@pytest.mark.parametrize("word", ["invalid_blocks", "msg_blocks_too_long", "msg_too_long", "something_new"])
def test_blocks_that_slack_refuses_are_sent_once_more_as_plain_text(slack: SlackServer, word: str) -> None:
    slack.next(POST, refusing(word))
    _channel(slack).send(notification(id=1, message=message(details="boom")))
    (posted,) = slack.messages
    assert posted["blocks"] == []
    assert "boom" in posted["text"]
    slack.on(POST, refusing(word))
    error = _error(_channel(slack), notification(id=1))
    assert (error.permanent, error.channel_wide) == (True, False)


@pytest.mark.parametrize(
    ("behaviour", "retry_after", "ambiguous"),
    [
        (refusing("ratelimited", 429, retry_after=12), 12.0, False),
        (answering("", status=429, headers={"Retry-After": "30"}), 30.0, False),
        (refusing("ratelimited"), None, False),
        (refusing("service_unavailable", 503), None, True),
        (refusing("internal_error"), None, True),
        (html(200), None, False),
        (redirecting("/login"), None, False),
        (answering("[]"), None, False),
        (answering('{"ok": true}'), None, False),
        (answering("{}"), None, False),
    ],
)
def test_what_may_pass_is_tried_again(
    slack: SlackServer,
    behaviour: Behaviour,
    retry_after: float | None,
    ambiguous: bool,  # noqa: FBT001
) -> None:
    slack.next(POST, behaviour)
    error = _error(_channel(slack), notification(id=1))
    assert (error.permanent, error.retry_after, error.ambiguous) == (False, retry_after, ambiguous)
    assert len(slack.exchanges) == 1


def test_all_calls_of_a_send_share_one_deadline(slack: SlackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = _channel(slack)
    root = channel.send(notification(id=1))
    monkeypatch.setattr(_slack_bot, "_SEND_SECONDS", 0.3)
    slack.next(UPDATE, delayed(5, answering("{}")))
    assert "no answer within" in str(_error(channel, _fixed(root)))
    monkeypatch.setattr(_slack_bot, "_SEND_SECONDS", 0.0)
    assert "too slow" in str(_error(channel, _fixed(root)))


@pytest.mark.parametrize(
    ("scopes", "told"),
    [
        ("chat:write,channels:history", "buildwatch in the workspace Acme"),
        ("", "buildwatch in the workspace Acme"),
        ("channels:history", "cannot post"),
        ("chat:write", "may be repeated"),
    ],
)
def test_a_probe_tells_who_the_token_belongs_to_and_what_it_lacks(slack: SlackServer, scopes: str, told: str) -> None:
    slack.scopes = scopes
    assert told in _channel(slack).probe()
    assert slack.messages == []


@pytest.mark.parametrize("fault", [None, resetting(), refusing("invalid_auth"), html(), answering("", status=500)])
def test_the_token_is_in_no_log_at_debug_level(
    slack: SlackServer,
    fault: Behaviour | None,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HTTPS_PROXY", "http://user:canary@127.0.0.1:9")
    if fault:
        slack.next(POST, fault)
    try:
        _channel(slack).send(notification(id=1))
    except ChannelError:
        logging.getLogger("test").exception("failed")
    assert "canary" not in caplog.text
    assert "canary" not in "".join(capfd.readouterr())


def test_a_refresh_edits_the_card_and_posts_nothing(slack: SlackServer) -> None:
    channel = _channel(slack)
    root = channel.send(notification())
    said = message(headline="2nd in a row")
    assert channel.send(_fixed(root, reason=Reason.REFRESH, message=said)) == root
    (card,) = slack.messages
    assert card["text"].endswith("2nd in a row")
    assert channel.send(_fixed({}, reason=Reason.REFRESH)) == {}  # nothing to keep true
    assert len(slack.messages) == 1
