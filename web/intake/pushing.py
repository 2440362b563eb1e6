"""From what somebody tells of builds to builds of the store, by the same way as those that are polled.

A pushed build has no server that would number it, so its number is the second at which it began: numbers grow with
time within a pipeline, also for builds that arrive late or twice, and nobody has to remember the last one. A build
without an id of its own gets one of its start and its commit. So the same body, sent again, is the same build.
"""

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from domain.build import NO_LABELS, NO_MEASUREMENTS, Build, Outcome, Pipeline, Status
from providers._base import Page, TakesPushed
from providers.push import Push, PushEntry, PushSettings
from store import pipelines, pushed
from store.builds import BuildView
from store.engine import Session
from store.pushed import Identity
from web.site import Site

IMPLIED = "push"  # where there is no provider for pushed builds in the configuration
UNTIL_NOW = timedelta(days=1)  # a build that began so long ago may have ended just now; before that nobody knows when
_COMMIT_DIGITS = 12


class NotTakenError(ValueError):
    """No entry of `pipelines:` takes a pushed pipeline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What somebody tells of a build, whatever the form. Texts are harmless already; times are aware UTC."""

    pipeline: str  # key
    name: str | None = None  # of the pipeline, where that is not its key
    status: Status
    outcome: Outcome | None = None
    word: str | None = None  # with which the outcome was told
    external_id: str | None = None
    within: str | None = None  # where else a build with this external id may be: see store.pushed
    attempt: int | None = None
    branch: str | None = None
    commit: str | None = None
    title: str | None = None
    trigger: str | None = None
    actor: str | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration: timedelta | None = None
    just_now: bool = True  # without an end it ended now, if it began today; else at once
    url: str | None = None
    bucket: str | None = None
    reason: str | None = None
    log_excerpt: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS)
    measurements: Mapping[str, float] = field(default_factory=lambda: NO_MEASUREMENTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a telling."""

    view: BuildView
    changed: bool  # something was new


class Pushing:
    """Takes what is told of builds, one request at a time: what it is compared with must not change meanwhile."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = threading.Lock()
        settings, entry = PushSettings(kind="push"), PushEntry(provider=IMPLIED)
        self._implied = Push(IMPLIED, settings, (entry,))

    def take(self, tellings: Sequence[Telling]) -> list[Taken]:
        """Store and judge these builds; what became of each, in order.

        Raises NotTakenError, before anything is stored, and StoreError.
        """
        with self._lock:
            now, takers = self._site.now(), self._takers()
            drafts = [_draft(each, takers, now) for each in tellings]
            builds, split = self._site.database.read(lambda session: _builds(session, tellings, drafts, now))
            changed = self._ingest([build for build, is_news in builds if is_news], split)
        identities = [_identity(build) for build, _ in builds]
        views = self._site.database.read(lambda session: pushed.stored(session, identities))
        return [Taken(view=views[each], changed=views[each].build.id in changed) for each in identities]

    def refused(self, keys: Iterable[str]) -> set[str]:
        """Those of these pipelines that no entry takes."""
        now, takers = self._site.now(), self._takers()
        return {key for key in keys if not _is_taken(Telling(pipeline=key, status=Status.RUNNING), takers, now)}

    def _takers(self) -> Sequence[TakesPushed]:
        return [each for each in self._site.providers().values() if isinstance(each, TakesPushed)] or [self._implied]

    def _ingest(self, builds: Sequence[Build], split: Collection[tuple[str, str]]) -> set[int]:
        """Oldest first, a page for each provider; ids of what is new or different."""
        changed: set[int] = set()
        for provider in dict.fromkeys(build.pipeline.provider for build in builds):
            its = sorted((each for each in builds if each.pipeline.provider == provider), key=lambda each: each.number)
            met = {build.pipeline.key: build.pipeline for build in its}
            its = [replace(build, pipeline=met[build.pipeline.key]) for build in its]  # one and the same for all
            ended = [(key, "") for name, key in split if name == provider]  # the one stream that they were until now
            page = Page(pipelines=list(met.values()), builds=its, ended=ended)
            changed.update(self._site.ingest(page, provider))
        return changed


def _draft(telling: Telling, takers: Sequence[TakesPushed], now: datetime) -> Build:
    """As it would be if nothing were known of it: with the provider that takes it, its name and its labels."""
    draft = make_build(telling, None, now)
    for provider in takers:
        found = provider.received(draft)
        if found is not None:
            return found
    raise NotTakenError(f'no entry of `pipelines:` takes pushed builds of "{telling.pipeline}"')


def _is_taken(telling: Telling, takers: Sequence[TakesPushed], now: datetime) -> bool:
    try:
        _draft(telling, takers, now)
    except NotTakenError:
        return False
    return True


def _builds(
    session: Session, tellings: Sequence[Telling], drafts: Sequence[Build], now: datetime
) -> tuple[list[tuple[Build, bool]], Collection[tuple[str, str]]]:
    """The builds that are meant, with whether there is anything to store; the pipelines that have branches from now."""
    known = _Known(session, tellings, drafts)
    found: list[tuple[Build, bool]] = []
    for telling, draft in zip(tellings, drafts, strict=True):
        before = known.build_of(telling, draft)
        if before is not None and _is_late(before, telling):
            found.append((before, False))
            continue
        build = make_build(telling, before, now)
        is_elsewhere = before is not None and before.pipeline.key != draft.pipeline.key
        pipeline = known.pipeline_of(before.pipeline if before and is_elsewhere else draft.pipeline, build.branch)
        build = replace(build, pipeline=pipeline, labels=draft.labels)
        known.note(telling, draft, build)
        found.append((build, True))
    return found, known.split


def _is_late(before: Build, telling: Telling) -> bool:
    """Whether the telling was overtaken: an attempt that has ended does not run any more."""
    order = list(Status)
    return order.index(telling.status) < order.index(before.status)


def make_build(telling: Telling, before: Build | None, now: datetime) -> Build:
    """A build as it is told, completed by what was known of it `before`."""
    started, finished = _times(telling, before, now)
    is_over = telling.status is Status.FINISHED
    return Build(
        pipeline=Pipeline(
            provider="?",
            key=telling.pipeline,
            name=telling.name or telling.pipeline,
            branched=telling.branch is not None,
        ),
        external_id=before.external_id if before else telling.external_id or own_id(started, telling.commit),
        number=before.number if before else int(started.timestamp()),
        attempt=telling.attempt or (before.attempt if before else 1),
        status=telling.status,
        outcome=telling.outcome,
        raw_outcome=telling.word if is_over else None,
        branch=telling.branch,
        commit=telling.commit,
        title=telling.title,
        trigger=telling.trigger,
        actor=telling.actor,
        queued_at=telling.queued_at or (started if telling.status is Status.QUEUED else None),
        started_at=None if telling.status is Status.QUEUED else started,
        finished_at=finished,
        url=telling.url,
        bucket=telling.bucket,
        reason=telling.reason,
        log_excerpt=telling.log_excerpt,
        labels=telling.labels,
        measurements=telling.measurements,
    )


def _times(telling: Telling, before: Build | None, now: datetime) -> tuple[datetime, datetime | None]:
    """When it began, and when it ended if it has: as told, as known, computed from each other, or now."""
    is_over = telling.status is Status.FINISHED
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as exact as the store
    finished = telling.finished_at if is_over else None
    started = telling.started_at or (before.started_at if before else None)
    if started is None and is_over and telling.duration is not None:
        started = (finished or now) - telling.duration
    started = started or telling.queued_at or finished or now
    if not is_over or finished is not None:
        return started, finished
    if telling.duration is not None:
        return started, started + telling.duration
    if before is not None and before.finished_at is not None:
        return started, before.finished_at
    is_recent = telling.just_now and timedelta(0) <= now - started <= UNTIL_NOW
    return started, now if is_recent else started


def own_id(started: datetime, commit: str | None) -> str:
    """Of a build that nobody gave an id: the same whenever the same build is told."""
    at = started.strftime("%Y%m%dT%H%M%S") + (f".{started.microsecond // 1000:03d}" if started.microsecond else "")
    return f"{at}Z-{commit[:_COMMIT_DIGITS]}" if commit else f"{at}Z"


class _Known:
    """What the store, and what came before in the same request, knows of what is told."""

    def __init__(self, session: Session, tellings: Sequence[Telling], drafts: Sequence[Build]) -> None:
        self._views: dict[tuple[str, str, str], list[Build]] = {}  # attempts, by provider, within and external id
        self._going_on: dict[tuple[str, str], list[Build]] = {}
        self.split: set[tuple[str, str]] = set()
        self._pipelines = {
            key: known.pipeline
            for key, known in pipelines.find(session, {_key(draft.pipeline) for draft in drafts}).items()
        }
        wanted: dict[tuple[str, str], set[str]] = {}
        anonymous: dict[str, set[str]] = {}
        for telling, draft in zip(tellings, drafts, strict=True):
            wanted.setdefault(_where(telling, draft), set()).update(_ids(telling, draft))
            if telling.external_id is None:
                anonymous.setdefault(draft.pipeline.provider, set()).add(draft.pipeline.key)
        for (provider, within), ids in wanted.items():
            for external_id, views in pushed.of_external_ids(session, provider, ids, within=within).items():
                self._views[provider, within, external_id] = [view.build for view in views]
        for provider, keys in anonymous.items():
            for view in pushed.going_on(session, provider, keys):
                self._going_on.setdefault((provider, view.build.pipeline.key), []).append(view.build)

    def build_of(self, telling: Telling, draft: Build) -> Build | None:
        """The build that is meant, as it was known before; None: it is new."""
        provider, within = _where(telling, draft)
        for external_id in _ids(telling, draft):
            attempts = self._views.get((provider, within, external_id), [])
            if telling.attempt is None and attempts:
                return attempts[-1]
            for each in attempts:
                if each.attempt == telling.attempt:
                    return each
            if attempts:  # another attempt of it: the same number and key
                return replace(
                    attempts[-1],
                    attempt=telling.attempt or 1,
                    status=Status.QUEUED,
                    outcome=None,
                    started_at=None,
                    finished_at=None,
                )
        if telling.external_id is not None:
            return None
        going_on = self._going_on.get(_key(draft.pipeline), [])
        return next((each for each in reversed(going_on) if _continues(each, telling)), None)

    def pipeline_of(self, pipeline: Pipeline, branch: str | None) -> Pipeline:
        """As config.yaml has it. Once a branch was named, its builds are told apart by branches for ever."""
        known = self._pipelines.get(_key(pipeline))
        found = replace(pipeline, branched=branch is not None or (known is not None and known.branched))
        if found.branched and known is not None and not known.branched:
            self.split.add(_key(pipeline))
        self._pipelines[_key(pipeline)] = found
        return found

    def note(self, telling: Telling, draft: Build, build: Build) -> None:
        """Told just now: what follows in the same request knows it."""
        where = (*_where(telling, draft), build.external_id)
        others = [each for each in self._views.get(where, []) if each.attempt != build.attempt]
        self._views[where] = sorted([*others, build], key=lambda each: each.attempt)
        key = _key(build.pipeline)
        going_on = [each for each in self._going_on.get(key, []) if each.external_id != build.external_id]
        self._going_on[key] = [*going_on, build] if build.status is not Status.FINISHED else going_on


def _key(pipeline: Pipeline) -> tuple[str, str]:
    return pipeline.provider, pipeline.key


def _identity(build: Build) -> Identity:
    return Identity(*_key(build.pipeline), build.external_id, build.attempt)


def _where(telling: Telling, draft: Build) -> tuple[str, str]:
    return draft.pipeline.provider, telling.within or draft.pipeline.key


def _ids(telling: Telling, draft: Build) -> list[str]:
    """The external ids that it may have; without the commit, when it was not known yet at the start."""
    if telling.external_id is not None:
        return [telling.external_id]
    if telling.started_at is None or draft.started_at is None:
        return []
    return list(dict.fromkeys([draft.external_id, own_id(draft.started_at, None)]))


def _continues(known: Build, telling: Telling) -> bool:
    """Whether a telling without an id is about a build that has not ended."""
    if telling.started_at is not None and known.started_at not in {None, telling.started_at}:
        return False
    if telling.status is not Status.FINISHED and telling.started_at is None and telling.commit is None:
        return False  # another one has begun, as far as anybody can tell
    branches = {known.branch, telling.branch} - {None}
    return len(branches) < 2 and _same_commit(known.commit, telling.commit)  # noqa: PLR2004


def _same_commit(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one.startswith(other) or other.startswith(one)
