"""One poll of a Jenkins server: the heartbeat, then one request for each job that moved."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from domain.build import Build, Pipeline
from providers._base import EMPTY, Cursor, Page, ProviderError, Refused, Trouble, Unreadable
from providers._jenkins.absence import Absences
from providers._jenkins.client import JenkinsClient
from providers._jenkins.history import BACKFILL
from providers._jenkins.names import path_of
from providers._jenkins.news import News, Newsroom
from providers._jenkins.plan import Range, found_in, plan
from providers._jenkins.reread import Rereads
from providers._jenkins.state import FIRST, JobState, cursor_key, has_moved
from providers._jenkins.tree import Folder, Job, nested, read_jobs
from providers._jenkins.watch import Rule, Watch, branches_of, key_of

POLL_SECONDS: Final = 85.0  # no new request later than this: a last one may take 30 s of the poll's 120
JOBS_IN_A_PAGE: Final = 25
BUILDS_IN_A_PAGE: Final = 2000
FAILURES_IN_A_ROW: Final = 3  # then it is the server, not a job: no use in asking on
REREAD_BUILDS: Final = 10

_LOG = logging.getLogger(__name__)
_OF_ONE_JOB: Final = frozenset({Trouble.SERVER_ERROR, Trouble.NOT_JSON, Trouble.TOO_LARGE})

_MAY_BE_OF_ONE_JOB: Final = _OF_ONE_JOB | {Trouble.TIMEOUT, Trouble.AUTH}

T = TypeVar("T")
Watched = list[tuple[Job, Rule]]


class Attempts:
    """Requests that may fail without taking the others with them. The first failure is told at the end."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.failure: ProviderError | None = None
        self.failures: dict[str, ProviderError] = {}  # by the key of the pipeline that was asked about
        self._clock = clock
        self._deadline = clock() + POLL_SECONDS
        self._in_a_row = 0
        self.of_single_jobs = True  # all failures so far

    def __call__(self, ask: Callable[[], T], about: Job | None = None) -> T | None:
        """What `ask` returns; None when it failed, or when the thing has gone since the heartbeat."""
        try:
            answer = ask()
        except ProviderError as error:
            if error.trouble is not Trouble.NOT_FOUND:
                if about is not None:
                    self.failures.setdefault(key_of(about), error)
                self.note(error, of_one_job=error.trouble in _MAY_BE_OF_ONE_JOB and not _is_about_the_server(error))
            return None
        self._in_a_row = 0
        return answer

    def note(self, error: ProviderError, *, of_one_job: bool = False) -> None:
        """Count a failure."""
        self.of_single_jobs = self.of_single_jobs and of_one_job
        self._in_a_row = FAILURES_IN_A_ROW if _is_about_the_server(error) else self._in_a_row + 1
        self.failure = self.failure or error

    @property
    def are_over(self) -> bool:
        """No more requests: the server does not answer, or the time of this poll is up. The next one goes on."""
        return self._in_a_row >= FAILURES_IN_A_ROW or self._clock() >= self._deadline


def _is_about_the_server(error: ProviderError) -> bool:
    return error.trouble in {Trouble.RATE_LIMIT, Trouble.TLS} or (isinstance(error, Refused) and "401" in str(error))


@dataclass(slots=True)
class _Batch:
    """What the next page will hold."""

    pipelines: dict[str, Pipeline] = field(default_factory=dict)
    builds: list[Build] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    cursors: dict[str, Cursor | None] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)

    def add(self, news: News) -> None:
        self.pipelines[news.pipeline.key] = news.pipeline
        self.builds += news.builds
        self.unreadable += news.unreadable
        self.cursors.update(news.cursors)
        self.renamed.update(news.renamed)

    @property
    def is_full(self) -> bool:
        return len(self.cursors) >= JOBS_IN_A_PAGE or len(self.builds) >= BUILDS_IN_A_PAGE

    def pages(self) -> Iterator[Page]:
        """One page, when there is anything to say."""
        if self.cursors or self.builds or self.unreadable:
            yield Page(
                pipelines=tuple(self.pipelines.values()),
                builds=self.builds,
                cursors=self.cursors,
                unreadable=self.unreadable,
                renamed=self.renamed,
            )


class Poll:
    """One cycle. Made anew for each poll; what outlives it is in the cursors, in `watch` and in `rereads`.

    Args:
        client: The server.
        watch: What is asked for.
        cursors: As earlier polls left them, by cursor key.
        rereads: When which job's finished builds are read once more.
        now: The time.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        client: JenkinsClient,
        watch: Watch,
        cursors: Mapping[str, Cursor],
        *,
        rereads: Rereads,
        now: datetime,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._watch = watch
        self._cursors = cursors
        self._rereads = rereads
        self._now = now
        self._attempt = Attempts(clock)
        self._has_read = False  # any job on its own

    def pages(self) -> Iterator[Page]:
        """Pages, each of which can be stored for itself.

        Raises:
            Unavailable, Refused: at once when the server cannot be read, at the end when some jobs could not.
        """
        root = read_jobs(self._client, depth=self._watch.depth, reaches_into=self._watch.reaches_into)
        jobs = list(root.jobs())
        absences = Absences(self._client, self._watch, self._cursors)
        absences.look(root, jobs)
        newsroom = Newsroom(
            self._client,
            self._watch,
            absences=absences,
            branches=branches_of(jobs),
            backfill=self._cursors.get(BACKFILL, EMPTY),
            now=self._now,
        )
        fresh, moved, quiet = self._sorted(jobs)
        for glob in self._watch.not_met():
            _LOG.warning("no job matches an entry of pipelines: is it spelt as on the server? job=%s", glob)
        yield from self._first_contact(root, fresh, newsroom)
        yield from self._one_by_one(moved, newsroom)
        yield from self._once_more(quiet, newsroom)
        if not self._attempt.are_over:
            yield from absences.pages(self._attempt)
        if self._attempt.failure is not None:
            self._attempt.failure.partial = not self._attempt.are_over and self._others_answer(quiet)
            self._attempt.failure.parts = self._attempt.failures
            raise self._attempt.failure

    def _others_answer(self, quiet: Watched) -> bool:
        """Whether only some jobs are broken: others were read in this poll, or one can be read now."""
        if not self._attempt.of_single_jobs:
            return False
        if self._has_read or not quiet:
            return self._has_read
        try:
            self._client.get(path_of(quiet[0][0].full_name), "builds[number]{0,1}")
        except ProviderError:
            return False
        return True

    def _sorted(self, jobs: Iterable[Job]) -> tuple[Watched, Watched, Watched]:
        """Jobs of which nothing is known, those that moved, and the rest."""
        fresh: Watched = []
        moved: Watched = []
        quiet: Watched = []
        for job in jobs:
            rule = self._watch.rule_of(job)
            if rule is None:
                continue
            cursor = self._cursors.get(cursor_key(job.full_name))
            if cursor is None:
                fresh.append((job, rule))
                continue
            if "primary" in cursor:
                self._watch.note_primary(job, remembered=True)
            (moved if has_moved(job, cursor) else quiet).append((job, rule))
        return fresh, moved, quiet

    def _first_contact(self, root: Folder, fresh: Watched, newsroom: Newsroom) -> Iterator[Page]:
        """Many jobs in one request, and a page for each request: memory stays bounded however many jobs there are."""
        yield from self._one_by_one([(job, rule) for job, rule in fresh if not job.last], newsroom)
        rules = {job.full_name: rule for job, rule in fresh if job.last}
        for part in plan(root, rules):
            if self._attempt.are_over:
                return
            watched = [(job, rules[job.full_name]) for job in part.jobs]
            try:
                answer = self._ask_for(part)
            except ProviderError as error:
                if error.trouble not in _OF_ONE_JOB:
                    self._attempt.note(error)
                    continue
                # One broken or enormous job spoils the answer for its neighbours.
                yield from self._one_by_one(watched, newsroom)
            else:
                yield from self._settled(watched, dict(found_in(answer, part.folder)), newsroom)

    def _ask_for(self, part: Range) -> Mapping[str, object]:
        fields = f"name,fullName,actions[_class],builds[{self._watch.fields}]{{0,{FIRST}}}"
        tree = nested(fields, part.depth, part.stop, part.start)
        return self._client.get(path_of(part.folder) if part.folder else "", tree)

    def _settled(
        self, watched: Watched, raws: Mapping[str, Mapping[str, object]], newsroom: Newsroom
    ) -> Iterator[Page]:
        here = [(job, rule, raws[job.full_name]) for job, rule in watched if job.full_name in raws]
        for job, _, raw in here:
            newsroom.note_primary(job, raw)
        batch = _Batch()
        for job, rule, raw in here:
            batch.add(newsroom.settle(job, rule, raw, FIRST, None))
        yield from batch.pages()

    def _one_by_one(self, moved: Watched, newsroom: Newsroom) -> Iterator[Page]:
        """Each job with a request of its own, several of them in a page."""
        batch = _Batch()
        for job, rule in moved:
            if self._attempt.are_over:
                break
            cursor = self._cursors.get(cursor_key(job.full_name))
            state = None if cursor is None else JobState.of(cursor)
            news = self._attempt(partial(newsroom.read, job, rule, state), job)
            if news is not None:
                self._has_read = True
                batch.add(news)
            if batch.is_full:
                yield from batch.pages()
                batch = _Batch()
        yield from batch.pages()

    def _once_more(self, quiet: Watched, newsroom: Newsroom) -> Iterator[Page]:
        """Finished builds whose result may have been changed by hand."""
        rules = {job.full_name: rule for job, rule in quiet}
        batch = _Batch()
        for job in self._rereads.due((job for job, _ in quiet), self._now):
            if self._attempt.are_over:
                break
            rule = rules[job.full_name]
            state = JobState.of(self._cursors[cursor_key(job.full_name)])
            news = self._attempt(partial(newsroom.read_again, job, rule, state, REREAD_BUILDS), job)
            if news is not None:
                self._has_read = True
                batch.add(news)
        yield from batch.pages()
