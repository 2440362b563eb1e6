"""One build: what it means, every alert it touched, and who was told, or exactly why nobody was. Pure.

The same reasoning answers `explain` and proves, every night, that no failed build went by in silence.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from alerts.rules import Rules
from alerts.settling import patience
from alerts.wording import moment, plural
from domain.build import Build, Outcome, Verdict
from poller.proof.fates import Fate, Said, Setting, Touched, of_alert, of_message
from poller.proof.fates import Verdict as Judged
from store.builds import BuildView

A_TICK = timedelta(minutes=1)  # what is due by time alone is looked at every few seconds
FIRST_LOOK = timedelta(hours=1)  # the first pages of a pipeline are baseline, each from its own newest build on


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """The failures in a row that a failed build is one of, as far as they are known today."""

    place: int  # of the build, from 1
    length: int
    needed: int  # `after`, as a number
    ended_by: int | None = None  # number of the build that passed after it
    rerun: bool = False  # and that is a re-run: of the same commit
    newer: int | None = None  # id of an alert on a later break of the stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What was read about a build beside its result."""

    read_at: datetime | None = None
    attempts: int | None = None  # in vain; None: nothing is to be read any more
    cause: str | None = None  # and its class
    stage: str | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that bears on one build."""

    view: BuildView
    attempts: Sequence[BuildView] = ()  # all of this build, oldest first
    rules: Rules | None  # None: no entry of `pipelines:` matches
    watched: bool = True  # its branch is
    branches: Sequence[str] = ()  # as the entry gives them
    unstable_passes: bool = False
    watched_since: datetime  # first contact with its pipeline
    kept_since: datetime  # alerts that ended earlier are forgotten
    awaited: bool = False  # a re-run may still turn it around: not judged yet
    unreachable: bool = False  # its provider does not answer, and that is told
    streak: Streak | None = None
    touched: Sequence[Touched] = ()
    details: Details = field(default_factory=Details)
    setting: Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of one alert, and of each message about it."""

    touched: Touched
    fate: Fate
    text: str
    messages: Sequence[tuple[Said, Fate, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The answer: a fate, the sentence that says it, and all that leads to it, in lines for a person."""

    fate: Fate
    answer: str
    because: str  # of the verdict
    stream: str | None
    watched: bool  # whether a failure of it would count for alerts
    placed: str  # stream and watching, in words
    alerts: Sequence[Told]
    lines: Sequence[str]


def explain(facts: Facts) -> Explanation:
    """Why people heard of a build, or why they did not."""
    told = [_told(each, facts.setting) for each in facts.touched]
    fate, answer = _answer(facts, told)
    because, placed = _because(facts), _placed(facts)
    return Explanation(
        fate=fate,
        answer=answer,
        because=because,
        stream=facts.view.build.stream,
        watched=_off_stream(facts) is None,
        placed=placed,
        alerts=told,
        lines=[
            answer,
            f"verdict: {because}",
            f"stream: {placed}",
            *_details(facts.details, facts.setting.zone),
            *_lines(told, facts.setting.zone),
        ],
    )


def judge(facts: Facts) -> Judged:
    """The fate of a build and its sentence alone: what the nightly check asks of every failure."""
    return _answer(facts, [_told(each, facts.setting) for each in facts.touched])


def _told(touched: Touched, setting: Setting) -> Told:
    fate, text = of_alert(touched, setting)
    said = [*touched.said, *touched.summary]
    return Told(touched=touched, fate=fate, text=text, messages=[(each, *of_message(each, setting)) for each in said])


_PREFERRED = (Fate.TOLD, Fate.UNEXPLAINED)  # of several alerts about one failure


def _answer(facts: Facts, told: Sequence[Told]) -> Judged:
    covering = [each for each in told if each.touched.covers]
    if facts.view.verdict is Verdict.FAILED and not facts.view.superseded and covering:
        best = min(covering, key=lambda each: [*_PREFERRED, each.fate].index(each.fate))
        return best.fate, _capital(f"{best.text} (alert {best.touched.alert.id})")
    fate, text = _meaningless(facts) or _off_stream(facts) or _too_old(facts) or _not_judged(facts) or _by_rule(facts)
    named = [str(each.touched.alert.id) for each in told if each.fate is Fate.TOLD]
    if named and fate is not Fate.UNEXPLAINED:
        text += f"; named in {'alert' if len(named) == 1 else 'alerts'} {', '.join(named)}, which people were told"
    return fate, _capital(text)


def _meaningless(facts: Facts) -> Judged | None:
    """Why there is no failure to tell of; None when there is."""
    view = facts.view
    if view.verdict is None:
        return Fate.RUNNING, f"not told: it is still {view.build.status}"
    if view.superseded:
        return Fate.SUPERSEDED, f"not told: {_successor(facts)}"
    if view.verdict is Verdict.PASSED:
        return Fate.PASSED, "not told: it passed" + (" on a re-run" if view.flaky else "")
    if view.verdict is Verdict.NEUTRAL:
        return Fate.NEUTRAL, f"not told: {_word(view.build)} is neutral, neither a failure nor a pass"
    return None


def _off_stream(facts: Facts) -> Judged | None:
    """Why a build does not count for alerts at all; None when it does."""
    build = facts.view.build
    if build.stream is None:
        kinds = ((build.is_fork, Fate.FORK, "forks"), (build.is_pull_request, Fate.PULL_REQUEST, "pull requests"))
        for is_one, fate, name in kinds:
            if is_one:
                return fate, f"not told: builds of {name} are shown and never alert"
        return Fate.NO_BRANCH, "not told: its branch is not known, so it belongs to no stream"
    if facts.rules is None:
        return Fate.NOT_WATCHED, "not told: no entry of `pipelines:` watches this pipeline now"
    if not facts.watched:
        wanted = ", ".join(facts.branches) if facts.branches else "the default branch"
        return Fate.OTHER_BRANCH, f"not told: branch {build.branch} is not watched, only {wanted} is"
    if facts.rules.failure is None:
        return Fate.SWITCHED_OFF, "not told: `failure` is switched off for this pipeline"
    return None


def _too_old(facts: Facts) -> Judged | None:
    """Why nothing is known of a failure; None when it lies in our time."""
    ended_at, zone = _ended_at(facts), facts.setting.zone
    if ended_at <= facts.watched_since:
        since = moment(facts.watched_since, zone)
        return Fate.HISTORY, f"not told: it ended before buildwatch first saw this pipeline ({since})"
    if ended_at < facts.kept_since:
        return Fate.FORGOTTEN, f"alerts that ended before {moment(facts.kept_since, zone)} are not kept any more"
    return None


def _not_judged(facts: Facts) -> Judged | None:
    """Why a failure has not been judged yet; None when it has."""
    if not facts.awaited or facts.rules is None:
        return None
    build, zone, wait = facts.view.build, facts.setting.zone, facts.rules.rerun_wait
    ended_at = _ended_at(facts)
    if facts.unreachable:
        return Fate.FROZEN, f"not told yet: {build.pipeline.provider} does not answer, so nothing of it is judged"
    running = next((each.build for each in facts.attempts if each.verdict is None), None)
    if running is not None and facts.setting.now < ended_at + patience(wait) + A_TICK:
        until = moment(ended_at + patience(wait), zone)
        return (
            Fate.AWAITING_RERUN,
            f"not told yet: attempt {running.attempt} is {running.status}, awaited until {until}",
        )
    if facts.setting.now < ended_at + patience(wait) + A_TICK:
        return Fate.AWAITING_RERUN, f"not told yet: a re-run is awaited until {moment(ended_at + wait, zone)}"
    return None


def _by_rule(facts: Facts) -> Judged:
    """Why a failure that was judged began no alert."""
    streak, setting, ended_at = facts.streak, facts.setting, _ended_at(facts)
    if streak is not None and streak.length < streak.needed:
        so_far = f"{streak.place} of `after: {streak.needed}` failures in a row"
        ended = f", then #{streak.ended_by} passed" if streak.ended_by is not None else ""
        return Fate.BELOW_THRESHOLD, f"not told: below the threshold, {so_far}{ended}"
    if streak is not None and streak.rerun and facts.rules is not None and facts.rules.rerun_wait:
        return Fate.FLAKY, f"not told: flaky, its re-run #{streak.ended_by} passed on the same commit"
    if setting.configured_at is not None and ended_at < setting.configured_at:
        since = moment(setting.configured_at, setting.zone)
        return Fate.CONFIGURED_SINCE, f"not told: another configuration was in use until {since}"
    if ended_at <= facts.watched_since + FIRST_LOOK and (streak is None or streak.ended_by is not None):
        return Fate.HISTORY, "not told: it was over already at first contact with its branch"
    if streak is not None and streak.ended_by is not None and streak.newer is not None:
        return Fate.OVERTAKEN, (
            f"not told: fixed by #{streak.ended_by} before it was seen; "
            f"the newer break was told instead (alert {streak.newer})"
        )
    return Fate.UNEXPLAINED, "nobody was told and no reason is known: please report this as a defect of buildwatch"


def _ended_at(facts: Facts) -> datetime:
    return facts.view.build.finished_at or facts.setting.now


def _because(facts: Facts) -> str:
    """What the build means, and why."""
    view = facts.view
    if view.verdict is None:
        return f"none yet, it is {view.build.status}"
    word = _word(view.build)
    if view.build.outcome is Outcome.UNSTABLE:
        rule = "`unstable: passed` is set" if facts.unstable_passes else "unstable counts as failed"
        word = f"{word}, and {rule}"
    text = f"{view.verdict}, its outcome is {word}"
    if view.superseded:
        text += f"; it does not count: {_successor(facts)}"
    return text + ("; flaky: an earlier attempt failed" if view.flaky else "")


def _successor(facts: Facts) -> str:
    """Which attempt counts in the place of a superseded one."""
    counting = next((each for each in facts.attempts if each.verdict is not None and not each.superseded), None)
    if counting is None:
        return "another attempt counts"
    return f"attempt {counting.build.attempt} counts, and {_ending(counting)}"


def _ending(view: BuildView) -> str:
    return {Verdict.PASSED: "passed", Verdict.FAILED: "failed"}.get(view.verdict or Verdict.NEUTRAL, "was neutral")


def _word(build: Build) -> str:
    raw = build.raw_outcome
    outcome = str(build.outcome)
    return outcome if raw is None or raw.lower() == outcome else f"{outcome} ({raw})"


def _placed(facts: Facts) -> str:
    """The stream of a build and whether it is watched."""
    build = facts.view.build
    judged = _off_stream(facts)
    name = build.pipeline.name if not build.stream else f"{build.pipeline.name} / {build.stream}"
    if judged is None:
        return f"{name}, watched"
    if build.stream is None:
        return f"none: {judged[1].removeprefix('not told: ')}"
    return f"{name}, {judged[1].removeprefix('not told: ')}"


def _details(details: Details, zone: tzinfo) -> Iterator[str]:
    """When they were read, what they say in short, and what could not be read."""
    if details.read_at is not None:
        stage = f"stage {details.stage}" if details.stage else None
        found = ", ".join(part for part in (details.cause, stage) if part)
        more = "; they are to be read again" if details.attempts is not None else ""
        yield f"details: read at {moment(details.read_at, zone)}" + (f": {found}" if found else "") + more
    elif details.attempts is not None:
        tried = f", tried {plural(details.attempts, 'time')} in vain" if details.attempts else ""
        yield f"details: still to be read{tried}"
    yield from (f"  {note}" for note in details.notes)


def _lines(told: Sequence[Told], zone: tzinfo) -> Iterator[str]:
    for each in told:
        alert = each.touched.alert
        yield f"alert {alert.id} ({alert.kind}, {alert.state}): {alert.summary}; this build is {each.touched.role}"
        if not each.messages:
            yield f"  {each.text}"
        for said, _, text in each.messages:
            yield f"  message {said.notification.id} ({said.notification.reason}): {text}"
        if each.messages and each.fate in {Fate.UNEXPLAINED, Fate.SILENCED, Fate.HIDDEN}:
            yield f"  {each.text}"
        acknowledged = alert.handling.get("acknowledged")
        if acknowledged:
            at = moment(datetime.fromisoformat(acknowledged["at"]), zone)
            reason = f': "{acknowledged["reason"]}"' if acknowledged.get("reason") else ""
            yield f"  acknowledged by {acknowledged['by']} at {at}{reason}; no reminders"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
