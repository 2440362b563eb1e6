"""What a message is about: an alert, the builds that it names, and what else is known; read for many at once."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from alerts.decide import Decision
from alerts.decision import decision
from alerts.policies.routing import Subject
from alerts.writing.background import NOTHING_KNOWN, Background
from domain.alert import Alert, AlertState, Reason
from domain.build import Build, Pipeline
from poller.config import Configuration
from poller.telling import withholding
from poller.telling.background import backgrounds
from poller.telling.subject import subject_of, wrong_number
from store import builds, details
from store.engine import Session

Decided = tuple[Decision, Pipeline | None]
"""A decision, and the pipeline that it is about."""

WAITING = frozenset({Reason.FIRST, Reason.REFRESH})
"""What waits for the details of its build: a first message, and a card that would be edited twice."""

_AT_ONCE = 200  # decisions whose builds are read at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """An alert that may be spoken of, and what is known about it."""

    alert: Alert
    pipeline: Pipeline | None = None
    builds: Mapping[int, Build] = field(default_factory=dict)  # by id: what the message speaks of, and what is wrong
    background: Background = NOTHING_KNOWN
    details_come: bool = False  # what the build's server has to say about it will be known in a moment

    @property
    def build(self) -> Build | None:
        """The newest that is wrong."""
        number = wrong_number(self.alert)
        return self.builds.get(number) if number is not None else None

    @property
    def subject(self) -> Subject:
        """What decides who hears of it, and when."""
        return subject_of(self.alert, self.pipeline, self.build)


def matter_of(
    session: Session, alert: Alert, pipeline: Pipeline | None, configuration: Configuration, now: datetime
) -> Matter:
    """What an alert is about as it stands, with the builds that it names."""
    [(_, matter)] = matters(session, [(decision(alert, Reason.UPDATE), pipeline)], configuration, now)
    return matter


def brief_matter_of(session: Session, alert: Alert, pipeline: Pipeline | None) -> Matter:
    """The same, with its builds and nothing else: of one alert in a crowd nobody reads more."""
    found = {number: view.build for number, view in builds.get(session, _named(decision(alert, None))).items()}
    number = wrong_number(alert) or 0
    told = details.get(session, [number]).get(number)
    known = Background(bucket_class=told.bucket_class) if told is not None else NOTHING_KNOWN
    return Matter(alert=alert, pipeline=pipeline, builds=found, background=known)


def matters(
    session: Session, decisions: Iterable[Decided], configuration: Configuration, now: datetime
) -> Iterator[tuple[Decision, Matter]]:
    """What decisions are about, read for many of them at once: the builds only of those that people may hear of."""
    decided = list(decisions)
    known = backgrounds(session, [one for one, _ in decided], configuration, now)
    coming = _details_coming(session, decided)
    for start in range(0, len(decided), _AT_ONCE):
        some = decided[start : start + _AT_ONCE]
        wanted = {number for one, _ in some if _may_be_heard(one) for number in _named(one)}
        found = {number: view.build for number, view in builds.get(session, wanted).items()} if wanted else {}
        for one, pipeline in some:
            yield (
                one,
                Matter(
                    alert=one.alert,
                    pipeline=pipeline,
                    builds={number: found[number] for number in _named(one) if number in found},
                    background=known.get(one.alert.fingerprint, NOTHING_KNOWN),
                    details_come=wrong_number(one.alert) in coming,
                ),
            )


def _details_coming(session: Session, decided: Sequence[Decided]) -> Collection[int]:
    """The builds, of those that are told of for the first time or on a card, whose details may come at any moment."""
    wrong = {wrong_number(one.alert) for one, _ in decided if one.reason in WAITING}
    return details.awaited(session, [number for number in wrong if number is not None])


def _named(decided: Decision) -> set[int]:
    number = wrong_number(decided.alert)
    return {*decided.build_ids, *([number] if number is not None else [])}


def _may_be_heard(decided: Decision) -> bool:
    """Whether anybody may hear of it: most that goes on is saved silently."""
    return decided.reason is not None or decided.alert.state is not AlertState.FIRING or is_untold(decided.alert)


def is_untold(alert: Alert) -> bool:
    """Whether an alert fires, and something has kept it from being told so far."""
    return alert.state is AlertState.FIRING and not alert.channels and withholding.is_withheld(alert)
