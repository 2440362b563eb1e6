"""Pushed builds of servers that are polled: the poll is the truth, and a push only makes it come at once.

A Jenkins build cannot be stored before it was polled: its identity holds the time that only the server tells. A step
of a GitHub workflow that tells of its own run speaks before the run has ended. So where somebody polls the server in
this process, nothing is stored. Elsewhere a run of GitHub becomes the very build that polling will see.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from domain.build import Build, Pipeline, Status
from providers._base import KnowsItsPages, Page, Place
from store import pipelines, pushed
from store.builds import BuildView
from store.engine import Session
from store.pushed import Identity
from web.intake.pushing import Taken, Telling, make_build
from web.site import Site


class Spot(NamedTuple):
    """A provider that polls the server of a build, and where the build is found there."""

    provider: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What became of a push about a build that is polled: stored as that build, or left to the poll, and why."""

    taken: Taken | None
    reason: str


def spot_of(site: Site, url: str | None) -> Spot | None:
    """Who polls the build that a page shows; None: nobody does."""
    for name, provider in site.providers().items() if url else ():
        place = provider.place_of(url) if url and isinstance(provider, KnowsItsPages) else None
        if place is not None:
            return Spot(name, place)
    return None


def hand_over(site: Site, spot: Spot, telling: Telling, *, number: int | None) -> Handed:
    """Have the poll look at once; where nobody polls, store what is told under the identity that polling will see."""
    provider, place = spot
    woken = [site.poll_now(provider, target) for target in place.targets]
    if any(woken):
        return Handed(taken=None, reason=f"{provider} is asked for it now: what it says counts")
    if place.external_id is None:
        return Handed(taken=None, reason=f"{provider} is polled: its next poll brings the build")
    build = site.database.read(lambda session: _as_polled(session, spot, telling, number, site))
    if build is None:
        return Handed(taken=None, reason=f"{provider} is polled: its next poll brings the first run of this workflow")
    identity = Identity(provider, build.pipeline.key, build.external_id, build.attempt)
    before = site.database.read(lambda session: pushed.stored(session, [identity])).get(identity)
    changed = False
    if before is None or _is_news(before, build):
        changed = bool(site.ingest(Page(pipelines=[build.pipeline], builds=[build]), provider))
    view = site.database.read(lambda session: pushed.stored(session, [identity]))[identity]
    return Handed(taken=Taken(view=view, changed=changed), reason=f"stored as the run that {provider} polls")


def _is_news(before: BuildView, build: Build) -> bool:
    """What has ended stays as it is: only a poll knows better."""
    order = list(Status)
    return before.build.status is not Status.FINISHED and order.index(build.status) >= order.index(before.build.status)


def _as_polled(session: Session, spot: Spot, telling: Telling, number: int | None, site: Site) -> Build | None:
    """The run under the key, id, number and attempt that polling gives it; None: its workflow is not known yet."""
    provider, place = spot
    external_id = place.external_id or ""
    found = pushed.of_external_ids(session, provider, [external_id], within=place.within).get(external_id, [])
    attempt = place.attempt or telling.attempt
    if found:
        same = [view.build for view in found if view.build.attempt == attempt]
        known = same[0] if same else found[-1].build
        pipeline, count = known.pipeline, known.number
        attempt, before = attempt or known.attempt, known if same or attempt is None else None
    else:
        named = list(_named(session, provider, place.within, telling.name or telling.pipeline))
        if len(named) != 1:
            return None
        pipeline, before, attempt = named[0], None, attempt or 1
        count = pushed.newest_number(session, provider, pipeline.key) + 1  # until a poll knows better
    build = make_build(telling, before, site.now())
    return replace(
        build,
        pipeline=pipeline,
        external_id=external_id,
        number=count if number is None else number,
        attempt=attempt,
        labels=before.labels if before is not None else {},
    )


def _named(session: Session, provider: str, within: str, name: str) -> Iterator[Pipeline]:
    """The workflows of a repository that are called so, or whose file is."""
    for known in pipelines.all(session, provider):
        pipeline = known.pipeline
        file = pipeline.key.rpartition("/")[2]
        if pipeline.key.startswith(within) and (
            pipeline.name == name or pipeline.name.endswith(f" {name}") or name in {file, file.rpartition(".")[0]}
        ):
            yield pipeline
