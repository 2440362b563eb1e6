import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from simulator import faults
from simulator.slack import SlackServer
from simulator.slack_blocks import problems
from tests.support.still_clock import StillClock

Call = Callable[..., Any]


@pytest.fixture
def call(slack: SlackServer, http: requests.Session) -> Call:
    def ask(method: str, **arguments: Any) -> Any:
        headers = {"Authorization": f"Bearer {slack.token}"}
        return http.post(slack.api_url + method, json=arguments, headers=headers).json()

    return ask


def _section(text: str = "hello") -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_a_webhook_says_ok_and_shows_the_message(slack: SlackServer, http: requests.Session) -> None:
    answer = http.post(slack.webhook_url(), json={"text": "broken", "blocks": [_section("*api* is broken")]})
    assert (answer.status_code, answer.text) == (200, "ok")
    assert [(m.channel, m.by, m.words()) for m in slack.messages] == [
        ("C00000001", "webhook", "broken\n*api* is broken")
    ]


def test_a_webhook_takes_a_form_too(slack: SlackServer, http: requests.Session) -> None:
    assert http.post(slack.webhook_url(), data={"payload": json.dumps({"text": "x"})}).text == "ok"


@pytest.mark.parametrize(
    ("payload", "status", "word"),
    [
        (b"no json", 400, "invalid_payload"),
        (b"[]", 400, "invalid_payload"),
        (b"{}", 400, "no_text"),
        (b'{"text": "x", "blocks": [{"type": "nonsense"}]}', 400, "invalid_blocks"),
        (json.dumps({"text": "x" * 40_001}).encode(), 400, "msg_too_long"),
        (json.dumps({"blocks": [_section("x" * 2900)] * 5}).encode(), 400, "msg_blocks_too_long"),
    ],
)
def test_a_webhook_refuses_in_words(
    slack: SlackServer, http: requests.Session, payload: bytes, status: int, word: str
) -> None:
    answer = http.post(slack.webhook_url(), data=payload)
    assert (answer.status_code, answer.text) == (status, word)
    assert slack.messages == []


def test_unknown_webhooks_and_wrong_methods_are_refused(slack: SlackServer, http: requests.Session) -> None:
    assert http.post(f"{slack.origin}/services/T0/B0/x", json={"text": "x"}).text == "no_service"
    assert http.get(slack.webhook_url()).status_code == 400
    assert http.get(f"{slack.origin}/elsewhere").status_code == 404


def test_an_archived_channel_is_gone(slack: SlackServer, http: requests.Session, call: Call) -> None:
    slack.room("ci").archived = True
    answer = http.post(slack.webhook_url(), json={"text": "x"})
    assert (answer.status_code, answer.text) == (410, "channel_is_archived")
    assert call("chat.postMessage", channel="#ci", text="x")["error"] == "is_archived"


def test_a_card_is_posted_edited_and_answered_in_its_thread(slack: SlackServer, call: Call) -> None:
    posted = call(
        "chat.postMessage", channel="#ci", text="broken", blocks=[_section("broken")], metadata={"event_type": "e"}
    )
    assert (posted["ok"], posted["channel"]) == (True, "C00000001")
    where = {"channel": posted["channel"], "ts": posted["ts"]}
    assert call("chat.update", **where, text="fixed", blocks=[_section("fixed")])["ok"]
    reply = call("chat.postMessage", channel="ci", text="fixed by Ada", thread_ts=posted["ts"])
    card, answer = slack.messages
    assert (card.words(), card.edits, card.metadata) == ("fixed\nfixed", 1, {"event_type": "e"})
    assert (answer.thread_ts, slack.room("ci").top()) == (card.ts, [card])
    shown = call("conversations.replies", **where)["messages"]
    assert [m["ts"] for m in shown] == [posted["ts"], reply["ts"]]
    assert (shown[0]["reply_count"], shown[0]["edited"]["user"]) == (1, "U0000SIM")


def test_history_shows_the_newest_first_without_replies(call: Call, clock: StillClock) -> None:
    root = call("chat.postMessage", channel="#ci", text="1", metadata={"event_type": "e", "event_payload": {"id": 7}})
    call("chat.postMessage", channel="#ci", text="reply", thread_ts=root["ts"])
    call("chat.postMessage", channel="#ci", text="loud reply", thread_ts=root["ts"], reply_broadcast=True)
    clock.advance(5)
    call("chat.postMessage", channel="#ci", text="2")
    found = call("conversations.history", channel="C00000001", include_all_metadata=True)
    assert [m["text"] for m in found["messages"]] == ["2", "loud reply", "1"]
    assert found["messages"][2]["metadata"]["event_payload"] == {"id": 7}
    assert "metadata" not in call("conversations.history", channel="C00000001")["messages"][2]
    later = call("conversations.history", channel="C00000001", oldest="1795255202")["messages"]
    assert [m["text"] for m in later] == ["2"]
    same = {"channel": "C00000001", "oldest": root["ts"], "latest": root["ts"]}
    assert [m["text"] for m in call("conversations.history", **same, inclusive=True)["messages"]] == ["1"]
    assert call("conversations.history", **same)["messages"] == []


def test_history_comes_in_pages(call: Call) -> None:
    for text in "abc":
        call("chat.postMessage", channel="#ci", text=text)
    first = call("conversations.history", channel="C00000001", limit=2)
    assert ([m["text"] for m in first["messages"]], first["has_more"]) == (["c", "b"], True)
    cursor = first["response_metadata"]["next_cursor"]
    rest = call("conversations.history", channel="C00000001", limit=2, cursor=cursor)
    assert ([m["text"] for m in rest["messages"]], rest["has_more"]) == (["a"], False)


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat.postMessage", {"channel": "#none", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "#ci"}, "no_text"),
        ("chat.postMessage", {"channel": "#ci", "text": "x", "thread_ts": "1.1"}, "thread_not_found"),
        ("chat.update", {"channel": "#ci", "ts": "1.1", "text": "x"}, "channel_not_found"),
        ("chat.update", {"channel": "C00000001", "ts": "1.1", "text": "x"}, "message_not_found"),
        ("conversations.history", {"channel": "#ci"}, "channel_not_found"),
        ("conversations.replies", {"channel": "C00000001", "ts": "1.1"}, "thread_not_found"),
        ("files.upload", {}, "unknown_method"),
    ],
)
def test_methods_refuse_by_name(call: Call, method: str, arguments: dict[str, Any], error: str) -> None:
    assert call(method, **arguments) == {"ok": False, "error": error}


def test_what_a_webhook_posted_cannot_be_edited_by_the_bot(
    slack: SlackServer, http: requests.Session, call: Call
) -> None:
    http.post(slack.webhook_url(), json={"text": "x"})
    message = slack.messages[0]
    assert call("chat.update", channel=message.channel, ts=message.ts, text="y")["error"] == "cant_update_message"


def test_invalid_blocks_are_explained(call: Call) -> None:
    long = {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}
    refused = call("chat.postMessage", channel="#ci", blocks=[long])
    assert refused["error"] == "invalid_blocks"
    message = "[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]"
    assert refused["errors"] == refused["response_metadata"]["messages"] == [message]
    nested = call("chat.postMessage", channel="#ci", attachments=[{"color": "#f00", "blocks": [long]}])
    assert nested["error"] == "invalid_blocks"


def test_garbage_in_a_form_is_as_if_it_were_not_there(slack: SlackServer, http: requests.Session) -> None:
    data = {"token": slack.token, "channel": "#ci", "text": "x", "blocks": "{garbage"}
    assert http.post(slack.api_url + "chat.postMessage", data=data).json()["message"]["blocks"] == []


def test_tokens_are_checked(slack: SlackServer, http: requests.Session, call: Call) -> None:
    assert http.post(slack.api_url + "auth.test").json()["error"] == "not_authed"
    assert http.post(slack.api_url + "auth.test", data={"token": "xoxb-no"}).json()["error"] == "invalid_auth"
    assert http.get(slack.api_url + "auth.test", params={"token": slack.token}).json()["team"] == "Simulated"
    slack.scopes = frozenset({"chat:write"})
    refused = call("conversations.history", channel="C00000001")
    assert (refused["error"], refused["needed"], refused["provided"]) == (
        "missing_scope",
        "channels:history",
        "chat:write",
    )
    slack.revoked = True
    assert call("auth.test")["error"] == "token_revoked"


def test_a_bot_must_be_in_the_channel(slack: SlackServer, call: Call) -> None:
    slack.room("ci").member = False
    assert call("chat.postMessage", channel="#ci", text="x")["error"] == "not_in_channel"
    assert call("conversations.history", channel="C00000001")["error"] == "not_in_channel"


def test_channels_are_listed(slack: SlackServer, call: Call) -> None:
    slack.room("#web")
    assert [c["name"] for c in call("conversations.list")["channels"]] == ["ci", "web"]
    assert call("conversations.info", channel="C00000002")["channel"]["is_member"] is True


def test_refusals_come_as_often_as_they_were_ordered(slack: SlackServer, http: requests.Session, call: Call) -> None:
    slack.refuse("restricted_action", times=2)
    assert call("chat.postMessage", channel="#ci", text="x")["error"] == "restricted_action"
    assert http.post(slack.webhook_url(), json={"text": "x"}).status_code == 403
    assert call("chat.postMessage", channel="#ci", text="x")["ok"]
    slack.refuse("fatal_error")
    assert [call("chat.postMessage", channel="#ci", text="x")["ok"] for _ in range(2)] == [False, False]
    slack.accept()
    assert call("chat.postMessage", channel="#ci", text="x")["ok"]


def test_messages_that_come_too_fast_are_throttled(
    slack: SlackServer, http: requests.Session, call: Call, clock: StillClock
) -> None:
    slack.throttle()
    assert call("chat.postMessage", channel="#ci", text="1")["ok"]
    assert call("chat.postMessage", channel="#ci", text="2") == {"ok": False, "error": "ratelimited"}
    late = http.post(slack.webhook_url(), json={"text": "2"})
    assert (late.status_code, late.headers["Retry-After"]) == (429, "1")
    assert http.post(slack.webhook_url("web"), json={"text": "another channel"}).text == "ok"
    clock.advance(1)
    assert call("chat.postMessage", channel="#ci", text="2")["ok"]


def test_slack_can_accept_and_say_nothing(slack: SlackServer, http: requests.Session) -> None:
    slack.fault(faults.accept_then_close(), times=1)
    with pytest.raises(requests.ConnectionError):
        http.post(slack.webhook_url(), json={"text": "x"})
    assert len(slack.messages) == 1


def test_slack_sdk_speaks_with_it(slack: SlackServer) -> None:
    client = WebClient(slack.token, base_url=slack.api_url, retry_handlers=[])
    posted = client.chat_postMessage(
        channel="#ci", text="x", blocks=[_section()], metadata={"event_type": "e", "event_payload": {}}
    )
    client.chat_update(channel=posted["channel"], ts=posted["ts"], text="y", blocks=[])
    found = client.conversations_history(channel=posted["channel"], include_all_metadata=True, limit=10)
    assert found["messages"][0]["metadata"]["event_type"] == "e"
    with pytest.raises(SlackApiError, match="channel_not_found"):
        client.chat_postMessage(channel="#none", text="x")
    assert WebhookClient(slack.webhook_url(), retry_handlers=[]).send(text="x").body == "ok"


def _button(**more: Any) -> dict[str, Any]:
    return {"type": "button", "text": {"type": "plain_text", "text": "Build"}, **more}


PLAIN = {"type": "plain_text", "text": "x"}


@pytest.mark.parametrize(
    "blocks",
    [
        [{"type": "divider"}],
        [{"type": "header", "text": {"type": "plain_text", "text": "x" * 150}}],
        [_section("x" * 3000)],
        [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2000}] * 6}],
        [{**_section(), "accessory": _button(url="https://x/", style="danger")}],
        [{"type": "actions", "elements": [_button(url="https://x/" + "y" * 2900, action_id="a")]}],
        [{"type": "context", "elements": [PLAIN, {"type": "image", "image_url": "https://x", "alt_text": "x"}]}],
        [{"type": "image", "image_url": "https://x", "alt_text": "x"}],
        [{"type": "rich_text", "elements": []}],
        [{"type": "divider"}] * 50,
    ],
)
def test_good_blocks_are_fine(blocks: list[Any]) -> None:
    assert problems(blocks) == []


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ("text", "unsupported type: str"),
        ({"type": "header", "text": {"type": "mrkdwn", "text": "x"}}, "unsupported type: mrkdwn"),
        ({"type": "header"}, "missing required field: text"),
        (_section(""), "must be more than 0 characters"),
        (_section("x" * 3001), "must be less than 3001"),
        ({"type": "section"}, "missing required field: text"),
        ({"type": "section", "fields": [PLAIN] * 11}, "no more than 10 items"),
        ({"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2001}]}, "must be less than 2001"),
        ({"type": "section", "block_id": "x" * 256, "text": PLAIN}, "must be less than 256"),
        ({"type": "actions", "elements": []}, "between 1 and 25"),
        ({"type": "actions", "elements": [_button()] * 26}, "between 1 and 25"),
        ({"type": "actions", "elements": [{}]}, "missing required field: type"),
        ({"type": "actions", "elements": [_button(action_id="a")] * 2}, "action_id must be unique"),
        ({"type": "actions", "elements": [_button(url="https://x/" + "y" * 3000)]}, "must be less than 3001"),
        ({"type": "actions", "elements": [_button(url="javascript:1")]}, "must be a valid URL"),
        ({"type": "actions", "elements": [_button(style="loud")]}, "valid enum"),
        (
            {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "x" * 76}}]},
            "must be less than 76",
        ),
        ({"type": "context", "elements": [PLAIN] * 11}, "between 1 and 10"),
        ({"type": "image", "image_url": "https://x"}, "missing required field: alt_text"),
        ({"type": "image", "alt_text": "x" * 2001, "image_url": "https://x"}, "must be less than 2001"),
        ({"type": "image", "alt_text": "x"}, "must be a valid URL"),
        ({"type": "rich_text"}, "missing required field: elements"),
    ],
)
def test_bad_blocks_are_refused_with_the_reason(block: Any, problem: str) -> None:
    assert any(problem in found for found in problems([block]))


def test_blocks_are_a_short_list_with_unique_ids() -> None:
    assert "must be an array" in problems({})[0]
    assert "no more than 50" in problems([{"type": "divider"}] * 51)[0]
    assert "block_id must be unique" in problems([{"type": "divider", "block_id": "a"}] * 2)[0]
