"""What the builds of a day come to, with everything that they are shown by; kept up to date pipeline by pipeline."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from typing_extensions import override

from domain.build import Outcome, Verdict
from store.engine import Session
from store.window_groups import Group, groups
from web.reading.days import Day
from web.reading.kept import Fold
from web.reading.remembered import Remembered
from web.reading.tally import Tally

K = TypeVar("K", bound=Hashable)

UNKNOWN_CAUSE: Final = ""  # the name of the bucket of failures of which nobody knows why


@dataclass(frozen=True, slots=True)
class Digest:
    """What the builds of a window come to: all that is kept of it."""

    tally: Tally
    took: int  # milliseconds that those which passed or failed took together
    timed: int  # how many of these have a duration
    outcomes: Mapping[Outcome, int]
    causes: Mapping[str, tuple[int, int]]  # builds, and how many pipelines these are of
    labels: Mapping[str, Mapping[str, Tally]]  # by name and value
    pipelines: frozenset[int]

    @property
    def mean(self) -> float | None:
        """Seconds."""
        return self.took / self.timed / 1000 if self.timed else None


def digest_of(session: Session, remembered: Remembered, day: Day, labels: Mapping[str, str]) -> Digest:
    """What the builds of a day that have these labels come to."""
    chosen = tuple(sorted(labels.items()))
    return remembered.folded(session, groups, day.window, chosen, lambda: Digesting(chosen))


class Digesting(Fold[Sequence[Group], Digest]):
    """A digest of pipelines that come and go."""

    def __init__(self, chosen: Iterable[tuple[str, str]] = ()) -> None:
        """`chosen`: only builds with these labels."""
        self._chosen = tuple(chosen)
        self._verdicts: Counter[Verdict] = Counter()
        self._outcomes: Counter[Outcome] = Counter()
        self._causes: Counter[str] = Counter()
        self._where: Counter[str] = Counter()  # pipelines, by cause
        self._labels: defaultdict[tuple[str, str], Counter[Verdict]] = defaultdict(Counter)
        self._pipelines: set[int] = set()
        self._took = self._timed = 0
        self._result: Digest | None = None

    @override
    def add(self, value: Sequence[Group]) -> None:
        self._count(value, 1)

    @override
    def take(self, value: Sequence[Group]) -> None:
        self._count(value, -1)

    @override
    def result(self) -> Digest:
        if self._result is None:
            labels: dict[str, dict[str, Tally]] = {}
            for (name, value), verdicts in self._labels.items():
                labels.setdefault(name, {})[value] = _tally(verdicts)
            self._result = Digest(
                tally=_tally(self._verdicts),
                took=self._took,
                timed=self._timed,
                outcomes=dict(self._outcomes),
                causes={name: (count, self._where[name]) for name, count in self._causes.items()},
                labels=labels,
                pipelines=frozenset(self._pipelines),
            )
        return self._result

    def _count(self, value: Sequence[Group], sign: int) -> None:
        """The groups of one pipeline."""
        self._result = None
        causes: set[str] = set()
        wanted = [each for each in value if all(each.labels.get(name) == its for name, its in self._chosen)]
        for each in wanted:
            count = sign * each.count
            _add(self._verdicts, each.verdict, count)
            _add(self._outcomes, each.outcome, count)
            if each.verdict is not Verdict.NEUTRAL:
                self._took += sign * each.took
                self._timed += sign * each.timed
            if each.verdict is Verdict.FAILED:
                causes.add(each.bucket or UNKNOWN_CAUSE)
                _add(self._causes, each.bucket or UNKNOWN_CAUSE, count)
            for label in each.labels.items():
                _add(self._labels[label], each.verdict, count)
                if not self._labels[label]:
                    del self._labels[label]
        for cause in causes:
            _add(self._where, cause, sign)
        for each in wanted[:1]:
            (self._pipelines.add if sign > 0 else self._pipelines.discard)(each.pipeline)


def _add(counter: Counter[K], key: K, count: int) -> None:
    """What has come to nothing is not there."""
    counter[key] += count
    if not counter[key]:
        del counter[key]


def _tally(verdicts: Mapping[Verdict, int]) -> Tally:
    return Tally(*(verdicts.get(each, 0) for each in (Verdict.PASSED, Verdict.FAILED, Verdict.NEUTRAL)))
