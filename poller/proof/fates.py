"""What became of messages and of the alerts that they tell of. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from alerts.wording import moment, plural
from domain.alert import Alert, AlertState, Delivery, Notification, Reason
from domain.silence import Silence
from domain.waiting import FOR_DETAILS
from store.outbox import Attempt


class Fate(StrEnum):
    """What became of a failed build, or of one alert about it. Keys of `explain --json`, append only."""

    TOLD = "told"
    WAITING = "waiting"  # in the outbox, due or claimed
    HELD = "held"  # by quiet hours
    RETRYING = "retrying"
    DEAD = "dead"
    SILENCED = "silenced"
    HIDDEN = "hidden"  # by an alert that says more
    BASELINE = "baseline"  # it was so already at first contact
    NO_ROUTE = "no_route"
    CHANNEL_GONE = "channel_gone"
    RUNNING = "running"
    PASSED = "passed"
    NEUTRAL = "neutral"
    SUPERSEDED = "superseded"  # another attempt counts
    FORK = "fork"
    PULL_REQUEST = "pull_request"
    NO_BRANCH = "no_branch"
    NOT_WATCHED = "not_watched"
    OTHER_BRANCH = "other_branch"
    SWITCHED_OFF = "switched_off"
    AWAITING_RERUN = "awaiting_rerun"
    FLAKY = "flaky"  # a re-run of the same commit passed before it was told
    FROZEN = "frozen"  # its provider does not answer: nothing of it is judged
    BELOW_THRESHOLD = "below_threshold"
    HISTORY = "history"  # it ended before we first saw its pipeline
    CONFIGURED_SINCE = "configured_since"  # another configuration was in use
    OVERTAKEN = "overtaken"  # over when it was seen, and a newer break was told
    FORGOTTEN = "forgotten"  # older than what is kept
    UNEXPLAINED = "unexplained"  # this must not be


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message, every try to send it, and how many alerts were told in the same one."""

    notification: Notification
    tries: Sequence[Attempt] = ()
    together: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """An alert that a build has to do with, and all that bears on who heard of it."""

    alert: Alert
    role: str  # what the build is to it: "first failure", "fixed it", ...
    covers: bool = True  # the alert tells of this build's failure, not only names the build
    said: Sequence[Said] = ()
    summary: Sequence[Said] = ()  # the summaries at first contact that named it
    silence: Silence | None = None  # that kept it from being told
    hidden_by: Alert | None = None
    hidden_told: Sequence[Said] = ()  # what was said about the alert that hides it
    routed: Sequence[str] = ()  # where the routes of today would send it


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What it takes to put fates in words: the time, the zone, the channels that exist, since when they do."""

    now: datetime
    zone: tzinfo
    channels: frozenset[str]
    configured_at: datetime | None = None


Verdict = tuple[Fate, str]
"""A fate and the sentence that says it."""

_HOW = {Reason.REFRESH: "brought up to date on", Reason.THREADED: "sent into the thread on"}
_SILENT = frozenset({Reason.REFRESH})  # keeps true what was said, and says nothing


def of_message(said: Said, setting: Setting) -> Verdict:
    """Where a message is: `sent to team at ...`, or exactly why it is not."""
    each, zone = said.notification, setting.zone
    if each.delivery is Delivery.SENT:
        return Fate.TOLD, _sent(said, zone)
    if each.delivery is Delivery.DEAD:
        return Fate.DEAD, f"given up for {each.channel} after {plural(_count(said), 'try', 'tries')}: {each.last_error}"
    if each.hold_until is not None and each.hold_until > setting.now:
        return Fate.HELD, f"held for {each.channel} until {moment(each.hold_until, zone)}: {each.held or 'quiet hours'}"
    if each.delivery is Delivery.SENDING:
        return Fate.WAITING, f"being sent to {each.channel}{_grouped(said)}"
    if each.attempts or each.last_error:
        doubt = ", which may have accepted it" if each.ambiguous else ""
        number = each.attempts + 1
        when = moment(each.next_attempt_at, zone)
        return Fate.RETRYING, f"not accepted by {each.channel}{doubt}: {each.last_error}; try {number} at {when}"
    when = moment(each.next_attempt_at, zone)
    return Fate.WAITING, f"waits for {each.channel} since {moment(each.created_at, zone)}, due {when}"


def _sent(said: Said, zone: tzinfo) -> str:
    each = said.notification
    if "left_out" in each.receipt:
        return f"left out for {each.channel}, which cannot edit what it was told"
    when = f" at {moment(each.sent_at, zone)}" if each.sent_at is not None else ""
    waited = f", after it had waited for {FOR_DETAILS}" if each.held == FOR_DETAILS else ""
    return f"{_HOW.get(each.reason, 'sent to')} {each.channel}{when}{_grouped(said)}{waited}"


def of_alert(touched: Touched, setting: Setting) -> Verdict:
    """Whether anybody was told of an alert, or exactly why not."""
    alert = touched.alert
    spoken = [each for each in touched.said if each.notification.reason not in _SILENT]
    is_baseline = bool(alert.evidence.get("baseline") or touched.summary)
    missing = [] if is_baseline else _missing(alert, spoken, setting)
    if missing:
        return Fate.UNEXPLAINED, f"no message to {', '.join(missing)} was ever written"
    if spoken or touched.summary:
        return _best([of_message(each, setting) for each in [*spoken, *touched.summary]])
    if is_baseline:
        return _of_baseline(touched)
    return _of_withheld(touched, setting) or _of_unrouted(touched, setting)


def _missing(alert: Alert, spoken: Sequence[Said], setting: Setting) -> list[str]:
    """Channels that were to be told and exist, and for which no message was ever written."""
    written = {each.notification.channel for each in spoken}
    return [name for name in alert.channels if name in setting.channels and name not in written]


def _of_baseline(touched: Touched) -> Verdict:
    if touched.alert.state is AlertState.FIRING and not touched.alert.channels:
        return Fate.BASELINE, "it was failing already at first contact: the summary of that is due, or has no route"
    return Fate.BASELINE, "it was failing already at first contact, which is told in one summary"


def _of_withheld(touched: Touched, setting: Setting) -> Verdict | None:
    """What kept an alert from being told; None when nothing did."""
    handling = touched.alert.handling
    if handling.get("silenced_by") is not None:
        return _of_silence(touched, setting)
    return _of_hidden(touched, setting) if handling.get("hidden_by") is not None else None


def _of_unrouted(touched: Touched, setting: Setting) -> Verdict:
    """Why there was nobody to tell an alert."""
    alert = touched.alert
    if alert.channels:
        return Fate.CHANNEL_GONE, f"{', '.join(alert.channels)} is not in config.yaml any more"
    if not touched.routed:
        return Fate.NO_ROUTE, "no route matched, so nobody is told"
    if setting.configured_at is not None and alert.started_at < setting.configured_at:
        return Fate.CONFIGURED_SINCE, "another configuration was in use then"
    return Fate.UNEXPLAINED, f"nobody was told, and it should have gone to {', '.join(touched.routed)}"


def _of_silence(touched: Touched, setting: Setting) -> Verdict:
    silence, number = touched.silence, touched.alert.handling["silenced_by"]
    if silence is None:
        return Fate.UNEXPLAINED, f"silence #{number} is said to have kept it from being told, and there is none"
    author = f" by {silence.author}" if silence.author else ""
    return Fate.SILENCED, f'silenced by #{number} "{silence.reason}"{author}, {until(silence, setting.zone)}'


def until(silence: Silence, zone: tzinfo) -> str:
    """Until when a silence holds, or when and why it ended."""
    if silence.ended_at is not None:
        because = f" ({silence.ended_because})" if silence.ended_because else ""
        return f"which ended {moment(silence.ended_at, zone)}{because}"
    ends, words = silence.ends, []
    if ends.at is not None:
        words.append(moment(ends.at, zone))
    if ends.fixed:
        words.append("it is fixed")
    if ends.build is not None:
        words.append(f"build #{ends.build}")
    if ends.new_bucket:
        words.append("it fails in another way")
    return f"until {' or '.join(words)}"


def _of_hidden(touched: Touched, setting: Setting) -> Verdict:
    other = touched.hidden_by
    number = touched.alert.handling["hidden_by"]
    if other is None:
        return Fate.UNEXPLAINED, f"alert {number} is said to hide it, and there is none"
    told = [of_message(each, setting) for each in touched.hidden_told if each.notification.reason not in _SILENT]
    how = f", {_best(told)[1]}" if told else ""
    return Fate.HIDDEN, f"hidden by alert {number} ({other.kind}: {other.summary}){how}"


_ORDER = (Fate.TOLD, Fate.WAITING, Fate.HELD, Fate.RETRYING, Fate.DEAD)


def _best(fates: Sequence[Verdict]) -> Verdict:
    """The fate of an alert with several messages: told as soon as one is; of equals the first one counts."""
    best = min((fate for fate, _ in fates), key=_ORDER.index)
    said = [text for fate, text in fates if fate is best]
    return best, said[0]


def _grouped(said: Said) -> str:
    number = said.notification.batch
    if number is None or said.together < 2:  # noqa: PLR2004  (one is no group)
        return ""
    return f", in message {number} with {plural(said.together - 1, 'other')}"


def _count(said: Said) -> int:
    return max(said.notification.attempts, len(said.tries))
