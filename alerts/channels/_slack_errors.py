"""What Slack's refusals mean: by status, and by its own word for the reason."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from alerts.channels._base import ChannelError

_LONGEST_WAIT = 3600.0  # a Retry-After beyond it comes from something that is not Slack
_WORD = re.compile(r"[a-z][a-z_]{1,60}")


class SlackError(ChannelError):
    """Slack answered, and did not accept. `word` is its own name for the reason, or empty."""

    word = ""

    @property
    def about_form(self) -> bool:
        """Whether another rendering of the same message might be accepted."""
        return self.permanent and not self.channel_wide and self.word not in OUT_OF_REACH


OUT_OF_REACH = frozenset(
    ("message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found", "cannot_reply_to_message")
)
"""A card that cannot be edited or answered any more, while the channel is in order."""

_WAIT = frozenset(
    """ratelimited rate_limited fatal_error internal_error rollup_error service_unavailable request_timeout
    accesslimited team_added_to_org org_login_required""".split()  # noqa: SIM905 - a table, not code
)
_MAYBE_DONE = frozenset(("fatal_error", "internal_error", "request_timeout"))  # "some aspect … may have succeeded"
_BROKEN = frozenset(
    """no_service no_service_id no_team team_disabled no_active_hooks invalid_token token_expired token_revoked
    invalid_auth not_authed account_inactive missing_scope not_allowed_token_type no_permission access_denied
    action_prohibited posting_to_general_channel_denied channel_not_found channel_is_archived is_archived
    not_in_channel user_not_found invalid_channel restricted_action restricted_action_read_only_channel
    restricted_action_thread_only_channel restricted_action_non_threadable_channel message_limit_exceeded
    ekm_access_denied enterprise_is_restricted team_access_not_granted two_factor_setup_required
    method_deprecated deprecated_endpoint unknown_method""".split()  # noqa: SIM905 - a table, not code
)
_CURES = {
    "no_service": "the webhook was removed: make a new one",
    "invalid_token": "the webhook was removed: make a new one",
    "channel_not_found": "no such channel, or the app is not in it: /invite the app there",
    "not_in_channel": "/invite the app to the channel",
    "is_archived": "the channel is archived",
    "channel_is_archived": "the channel is archived",
    "invalid_auth": "the token is not valid: copy the bot token of the app again",
    "token_revoked": "the token was revoked: install the app again",
    "account_inactive": "the app was removed from the workspace: install it again",
    "missing_scope": "add the scope chat:write to the app and install it again",
}


def failure(status: int, headers: Mapping[str, str], word: str, *, may_repeat: bool = False) -> SlackError:
    """What an answer that is not an acceptance means.

    `may_repeat`: Slack can be asked before the next attempt, so that every doubt is worth a question.
    """
    word = word if _WORD.fullmatch(word) else ""
    said = f"Slack refused: {word or status}" + (f" ({_CURES[word]})" if word in _CURES else "")
    if status == HTTPStatus.TOO_MANY_REQUESTS or word in {"ratelimited", "rate_limited"}:
        error = SlackError("Slack asks to slow down", retry_after=_retry_after(headers), channel_wide=True)
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR or word in _WAIT:
        unclear = status == HTTPStatus.GATEWAY_TIMEOUT or word in _MAYBE_DONE or may_repeat
        error = SlackError(f"Slack has trouble: {status} {word}".rstrip(), ambiguous=unclear)
    elif (status == HTTPStatus.OK and not word) or HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        text = f"the answer ({status}) is not Slack's: a proxy or login page is in between, or the URL is wrong"
        error = SlackError(text, channel_wide=True)
    elif word in _BROKEN or status in {401, 403, 404, 405, 407, 410}:
        error = SlackError(said, permanent=True, channel_wide=True)
    else:
        error = SlackError(said, permanent=True)
    error.word = word
    return error


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(max(seconds, 1.0), _LONGEST_WAIT) if seconds >= 0 else None
