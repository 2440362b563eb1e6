"""The windows that end now, kept in memory: counts and percentiles of every pipeline without asking the store."""

import threading
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush

from domain.build import Outcome, Verdict
from domain.counted import Counted
from domain.percentile import percentile
from domain.window import Summary

PipelineId = tuple[str, str]
"""(provider, key)."""

DAY, WEEK = timedelta(hours=24), timedelta(days=7)

_VERDICTS = (Verdict.PASSED, Verdict.FAILED, Verdict.NEUTRAL)
_NEUTRAL = _VERDICTS.index(Verdict.NEUTRAL)
_VERDICT_CODES = {verdict: code for code, verdict in enumerate(_VERDICTS)}
_OUTCOMES = tuple(Outcome)
_OUTCOME_CODES = {outcome: code for code, outcome in enumerate(_OUTCOMES)}
_VERDICT_BITS, _VERDICT_MASK = 2, 0b11
_UNKNOWN = -1
_WORTH_TRIMMING = 64
_MILLISECOND = timedelta(milliseconds=1)
_FOREVER = 1 << 62


class Live:
    """Summaries of all pipelines over a few rolling windows.

    Fed with what the store says after each commit; SQL (store/windows.py) is its oracle. A build costs one insertion
    near the end of its pipeline's arrays, and one removal when it leaves a window. Asking for all summaries makes
    those anew that builds or the time have changed, and copies the rest. About 35 bytes a build of the longest window.

    It forgets what is older than the longest window: feed it anew after the clock was set back.
    All methods may be called from several threads.
    """

    def __init__(self, spans: Sequence[timedelta] = (DAY, WEEK)) -> None:
        self._lengths = [span // _MILLISECOND for span in spans]
        self._timelines: dict[PipelineId, _Timeline] = {}
        self._answers = {span: _Answers(place, self._timelines) for place, span in enumerate(spans)}
        self._lock = threading.Lock()

    def rebuild(self, rows: Iterable[Counted], now: datetime) -> None:
        """Start from the store: all that finished within the longest window, and all that runs."""
        with self._lock:
            for pipeline in list(self._timelines):
                self._drop(pipeline)
            self._apply(rows, _milliseconds(now))

    def apply(self, rows: Iterable[Counted], now: datetime) -> None:
        """These builds are now so: each row replaces what was known of its build."""
        with self._lock:
            self._apply(rows, _milliseconds(now))

    def summary(self, pipeline: PipelineId, span: timedelta, now: datetime) -> Summary:
        """The window [now - span, now) of one pipeline; of nothing when it has no builds. KeyError: span not kept."""
        answers = self._answers[span]
        with self._lock:
            return answers.of_one(pipeline, _milliseconds(now))

    def summaries(self, span: timedelta, now: datetime) -> dict[PipelineId, Summary]:
        """The window [now - span, now) of every pipeline that was ever fed, also where nothing happened."""
        answers = self._answers[span]
        with self._lock:
            return answers.of_all(_milliseconds(now))

    def rename(self, old: PipelineId, new: PipelineId) -> None:
        """The pipeline has a new key."""
        with self._lock:
            timeline = self._timelines.get(old)
            if timeline is not None:
                self._drop(old)
                self._timelines[new] = timeline
                self._touch(new)

    def forget(self, pipeline: PipelineId) -> None:
        """The pipeline is no longer watched."""
        with self._lock:
            self._drop(pipeline)

    def _apply(self, rows: Iterable[Counted], at: int) -> None:
        for row in rows:
            timeline = self._timelines.get(row.pipeline)
            if timeline is None:
                timeline = self._timelines[row.pipeline] = _Timeline(self._lengths)
            timeline.put(row, at)
            self._touch(row.pipeline)

    def _touch(self, pipeline: PipelineId) -> None:
        for answers in self._answers.values():
            answers.dirty.add(pipeline)

    def _drop(self, pipeline: PipelineId) -> None:
        self._timelines.pop(pipeline, None)
        for answers in self._answers.values():
            answers.forget(pipeline)


class _Answers:
    """The summaries of all pipelines over one span, of which only those that can have changed are made anew."""

    __slots__ = ("_due", "_last", "_place", "_summaries", "_timelines", "_times", "dirty")

    def __init__(self, place: int, timelines: "dict[PipelineId, _Timeline]") -> None:
        self._place = place
        self._timelines = timelines
        self._summaries: dict[PipelineId, Summary] = {}
        self._due: list[tuple[int, PipelineId]] = []  # a heap: when time alone changes the summary of a pipeline
        self._times: dict[PipelineId, int] = {}  # the entry of the heap that counts for a pipeline
        self._last = 0
        self.dirty: set[PipelineId] = set()

    def of_one(self, pipeline: PipelineId, at: int) -> Summary:
        timeline = self._timelines.get(pipeline)
        if timeline is None:
            return Summary(total=0, passed=0, failed=0, neutral=0, running=0)
        self.dirty.add(pipeline)  # its view may slide to another time than the others
        return timeline.views[self._place].summary(timeline, at)

    def of_all(self, at: int) -> dict[PipelineId, Summary]:
        if at < self._last:  # the clock went back
            self.dirty.update(self._timelines)
        self._last = at
        while self._due and self._due[0][0] <= at:
            time, pipeline = heappop(self._due)
            if self._times.get(pipeline) == time:
                del self._times[pipeline]
                self.dirty.add(pipeline)
        for pipeline in self.dirty:
            self._renew(pipeline, at)
        self.dirty.clear()
        return self._summaries.copy()

    def forget(self, pipeline: PipelineId) -> None:
        self._summaries.pop(pipeline, None)
        self._times.pop(pipeline, None)
        self.dirty.discard(pipeline)

    def _renew(self, pipeline: PipelineId, at: int) -> None:
        timeline = self._timelines[pipeline]
        view = timeline.views[self._place]
        self._summaries[pipeline] = view.summary(timeline, at)
        # An entry that is earlier than need be costs one look; so adding a build seldom adds an entry.
        if view.valid_until < self._times.get(pipeline, _FOREVER):
            self._times[pipeline] = view.valid_until
            heappush(self._due, (view.valid_until, pipeline))


class _Timeline:
    """The builds of one pipeline that finished within the longest window, in the order of their ends."""

    __slots__ = ("_longest", "_newest", "durations", "ended", "ids", "running", "views", "words")

    def __init__(self, lengths: Sequence[int]) -> None:
        self.ended = array("q")
        self.ids = array("q")
        self.durations = array("q")
        self.words = array("B")  # verdict in the lowest bits, outcome above
        self.running: set[int] = set()
        self.views = [_View(length) for length in lengths]
        self._longest = max(lengths)
        self._newest = -1

    def put(self, row: Counted, at: int) -> None:
        # Ids grow, and what ran has not finished yet: only a finished build that changed has to be looked for.
        if row.build_id <= self._newest and row.build_id not in self.running:
            self._remove(row.build_id)
        self._newest = max(self._newest, row.build_id)
        if row.running or row.build_id in self.running:
            self._set_running(row)
        if row.verdict is not None and row.outcome is not None and row.finished_at >= at - self._longest:
            word = _OUTCOME_CODES[row.outcome] << _VERDICT_BITS | _VERDICT_CODES[row.verdict]
            self._insert(row.finished_at, row.build_id, _UNKNOWN if row.duration is None else row.duration, word)
            self._trim(at)

    def _set_running(self, row: Counted) -> None:
        if row.running:
            self.running.add(row.build_id)
        else:
            self.running.discard(row.build_id)
        for view in self.views:
            view.forget_summary()

    def _insert(self, ended: int, build_id: int, duration: int, word: int) -> None:
        place = bisect_right(self.ended, ended)
        self.ended.insert(place, ended)
        self.ids.insert(place, build_id)
        self.durations.insert(place, duration)
        self.words.insert(place, word)
        for view in self.views:
            view.inserted(ended, duration, word)

    def _remove(self, build_id: int) -> None:
        try:
            place = self.ids.index(build_id)
        except ValueError:
            return  # it did not count until now, or has left all windows
        ended, duration, word = self.ended.pop(place), self.durations.pop(place), self.words.pop(place)
        del self.ids[place]
        for view in self.views:
            view.removed(ended, duration, word)

    def _trim(self, at: int) -> None:
        """Let go of what has left all windows, now and then: each time costs the length of what stays."""
        if len(self.ended) < _WORTH_TRIMMING or self.ended[len(self.ended) // 2] >= at - self._longest:
            return
        for view in self.views:
            view.slide(self, at)
        gone = min(view.start for view in self.views)
        for column in (self.ended, self.ids, self.durations, self.words):
            del column[:gone]
        for view in self.views:
            view.start -= gone
            view.stop -= gone


class _View:
    """One window on a timeline: the slice [start, stop), what it counts, and its summary while that holds."""

    __slots__ = ("_durations", "_ends", "_length", "_starts", "_sum", "_tally", "cached", "start", "stop",
                 "valid_from", "valid_until")  # fmt: skip

    def __init__(self, length: int) -> None:
        self._length = length
        self._starts = self._ends = 0  # the times that the slice stands for, in milliseconds
        self.start = self.stop = 0
        self._tally = [0, 0, 0]  # by verdict
        self._durations = array("q")  # of passed and failed builds, ascending
        self._sum = 0
        self.cached = Summary(total=0, passed=0, failed=0, neutral=0, running=0)
        self.valid_from, self.valid_until = 0, 0  # `cached` holds for a `now` in between

    def forget_summary(self) -> None:
        self.valid_until = 0

    def summary(self, timeline: _Timeline, at: int) -> Summary:
        if not self.valid_from <= at < self.valid_until:
            self.slide(timeline, at)
            self.cached = self._summary(timeline)
            self.valid_from = at
            self.valid_until = min(
                timeline.ended[self.start] + self._length + 1 if self.start < len(timeline.ended) else _FOREVER,
                timeline.ended[self.stop] + 1 if self.stop < len(timeline.ended) else _FOREVER,
            )
        return self.cached

    def slide(self, timeline: _Timeline, at: int) -> None:
        """Stand for [at - length, at), wherever it stood before; costs what enters and what leaves."""
        self._starts, self._ends = at - self._length, at
        ended = timeline.ended
        while self.stop < len(ended) and ended[self.stop] < self._ends:
            self._count(timeline.durations[self.stop], timeline.words[self.stop])
            self.stop += 1
        while self.stop > 0 and ended[self.stop - 1] >= self._ends:  # the clock went back
            self.stop -= 1
            if self.stop >= self.start:
                self._discount(timeline.durations[self.stop], timeline.words[self.stop])
            else:
                self.start = self.stop
        while self.start < self.stop and ended[self.start] < self._starts:
            self._discount(timeline.durations[self.start], timeline.words[self.start])
            self.start += 1
        while self.start > 0 and ended[self.start - 1] >= self._starts:  # the clock went back
            self.start -= 1
            self._count(timeline.durations[self.start], timeline.words[self.start])
        self.forget_summary()

    def inserted(self, ended: int, duration: int, word: int) -> None:
        """A build was inserted into the timeline."""
        if ended < self._ends:
            self.stop += 1
            if ended < self._starts:
                self.start += 1
            else:
                self._count(duration, word)
        self.forget_summary()

    def removed(self, ended: int, duration: int, word: int) -> None:
        """A build was removed from the timeline."""
        if ended < self._ends:
            self.stop -= 1
            if ended < self._starts:
                self.start -= 1
            else:
                self._discount(duration, word)
        self.forget_summary()

    def _count(self, duration: int, word: int) -> None:
        verdict = word & _VERDICT_MASK
        self._tally[verdict] += 1
        if verdict != _NEUTRAL and duration != _UNKNOWN:
            insort(self._durations, duration)
            self._sum += duration

    def _discount(self, duration: int, word: int) -> None:
        verdict = word & _VERDICT_MASK
        self._tally[verdict] -= 1
        if verdict != _NEUTRAL and duration != _UNKNOWN:
            del self._durations[bisect_left(self._durations, duration)]
            self._sum -= duration

    def _summary(self, timeline: _Timeline) -> Summary:
        passed, failed, neutral = self._tally
        running, durations = len(timeline.running), self._durations
        last = timeline.words[self.stop - 1] >> _VERDICT_BITS if self.stop > self.start else None
        return Summary(
            total=passed + failed + neutral + running,
            passed=passed,
            failed=failed,
            neutral=neutral,
            running=running,
            duration_mean=self._sum / len(durations) / 1000 if durations else None,
            duration_p50=percentile(durations, 0.5) / 1000 if durations else None,
            duration_p95=percentile(durations, 0.95) / 1000 if durations else None,
            last_outcome=None if last is None else _OUTCOMES[last],
        )


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
