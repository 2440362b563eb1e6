"""What has to be known of the builds that are stored, when somebody tells of one."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from sqlalchemy import func, select, true

from store import builds, names, pipelines, sql
from store.builds import BuildView
from store.database import Session
from store.schema import builds as build_table

_AT_ONCE = 5_000  # keys that are looked up together


class Identity(NamedTuple):
    """What a build is known by, for ever."""

    provider: str
    pipeline: str
    external_id: str
    attempt: int


def of_external_ids(session: Session, provider: str, ids: Iterable[str], *, within: str) -> dict[str, list[BuildView]]:
    """All attempts of the builds with these external ids, by external id, in the order of attempts.

    Args:
        session: an open transaction.
        provider: name in config.yaml.
        ids: external ids.
        within: the key of a pipeline, or with a slash at the end what the keys begin with.
    """
    ours = [each.id for each in pipelines.all(session, provider) if _is_within(each.pipeline.key, within)]
    pairs = ((number, each) for each in dict.fromkeys(ids) for number in ours)
    found: dict[str, list[BuildView]] = {}
    while some := list(islice(pairs, _AT_ONCE)):
        views = builds.get(session, [identity for identity, _ in sql.select_by_keys(session, some)])
        for view in sorted(views.values(), key=lambda view: view.build.attempt):
            found.setdefault(view.build.external_id, []).append(view)
    return found


def _is_within(key: str, within: str) -> bool:
    return key.startswith(within) or key == within.removesuffix("/") if within.endswith("/") else key == within


def going_on(session: Session, provider: str, keys: Iterable[str]) -> list[BuildView]:
    """The builds of these pipelines that have not ended, as far as the store knows, the newest last."""
    numbers = pipelines.numbers(session, [(provider, key) for key in keys])
    found = sql.select_unfinished(session, list(numbers.values())) if numbers else []
    return sorted(builds.get(session, [identity for identity, _ in found]).values(), key=lambda view: view.build.number)


def stored(session: Session, wanted: Sequence[Identity]) -> dict[Identity, BuildView]:
    """Those of these builds that are stored."""
    numbers = pipelines.numbers(session, {(each.provider, each.pipeline) for each in wanted})
    pairs = [
        (numbers[each.provider, each.pipeline], each.external_id)
        for each in wanted
        if (each.provider, each.pipeline) in numbers
    ]
    rows = sql.select_by_keys(session, list(dict.fromkeys(pairs))) if pairs else []
    views = builds.get(session, [identity for identity, _ in rows])
    found = {_identity(view): view for view in views.values()}
    return {each: found[each] for each in wanted if each in found}


def _identity(view: BuildView) -> Identity:
    build = view.build
    return Identity(build.pipeline.provider, build.pipeline.key, build.external_id, build.attempt)


def has_others(session: Session, trigger: str) -> bool:
    """Whether there is a build that something else than this has triggered."""
    number = names.number_of(session, trigger)
    other = true() if number is None else build_table.c.trigger_id.is_distinct_from(number)
    return session.execute(select(build_table.c.id).where(other).limit(1)).first() is not None


def newest_number(session: Session, provider: str, key: str) -> int:
    """The highest number that a build of a pipeline has; 0: it has none."""
    numbers = pipelines.numbers(session, [(provider, key)])
    if not numbers:
        return 0
    query = select(func.max(build_table.c.number)).where(build_table.c.pipeline_id == numbers[provider, key])
    return int(session.execute(query).scalar_one() or 0)
