import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from poller.cli.history import Asked, History, Progress, without_news
from poller.config import load
from poller.running.clock import Clock
from poller.watching.polling import POLLS
from providers._base import Cursor, Page, Refused, Target, Trouble, Unavailable
from simulator.house import Simulator
from store import builds, cursors, notes
from store.engine import Database
from tests.support.builders import build, pipeline
from tests.support.commands import Commands

TARGET = Target(provider="ci", key="jobs", every=timedelta(seconds=60))
WEB = pipeline("web/deploy")


class Archive:
    """A provider with one page for each of `pages`; raises the exceptions among them, once."""

    name = "ci"

    def __init__(self, *pages: Sequence[Any] | Exception) -> None:
        self.pages = list(pages)
        self.asked: list[tuple[Sequence[str], datetime, Cursor]] = []

    def backfill(
        self, target: Target, keys: Sequence[str], since: datetime, cursor: Cursor, now: datetime
    ) -> Iterator[Page]:
        assert target == TARGET
        assert now >= since
        self.asked.append((keys, since, cursor))
        begin = int(cursor.get("page", 0))
        for number in itertools.count(begin):
            if number == len(self.pages):
                yield Page(cursors={"backfill": None}, progress=1.0)
                return
            page = self.pages[number]
            if isinstance(page, Exception):
                self.pages[number] = ()
                raise page
            share = (number + 1) / len(self.pages)
            yield Page(builds=page, cursors={"backfill": {"page": number + 1}}, progress=share)


@pytest.fixture
def told() -> list[Progress]:
    return []


@pytest.fixture
def history(config: Path, store: Database, now: datetime, told: list[Progress]) -> History:
    clock = Clock(now=lambda: now)
    return History(load(config, environ={}), store, clock, tell=told.append, pause=lambda _: None)


def old(number: int, now: datetime) -> Any:
    return build(number, pipeline=WEB, started_at=now - timedelta(days=60 - number))


def numbers(store: Database) -> list[int]:
    return sorted(view.build.number for view in store.read(lambda session: builds.recent(session, limit=1000)))


def asked(now: datetime, words: str = "90d", glob: str | None = None) -> Asked:
    return Asked(since=now - timedelta(days=90), words=words, glob=glob)


def test_history_is_stored_and_its_place_forgotten_at_the_end(
    history: History, store: Database, now: datetime, told: list[Progress]
) -> None:
    archive = Archive([old(1, now), old(2, now)], [old(3, now)])
    history.read(archive, TARGET, asked(now), ["web/deploy"])  # type: ignore[arg-type]
    assert numbers(store) == [1, 2, 3]
    assert archive.asked == [(["web/deploy"], now - timedelta(days=90), {})]
    assert (told[-1].share, told[-1].builds, told[-1].new) == (1.0, 3, 3)
    assert [each.share for each in told] == sorted(each.share for each in told)
    assert store.read(lambda session: cursors.load(session, "ci", "backfill jobs")) == {}


def test_an_interrupted_one_goes_on_with_the_same_beginning(history: History, store: Database, now: datetime) -> None:
    archive = Archive([old(1, now)], Refused(Trouble.AUTH, "bad token"), [old(3, now)])
    with pytest.raises(Refused):
        history.read(archive, TARGET, asked(now), [])  # type: ignore[arg-type]
    later = Asked(since=now - timedelta(days=89), words="90d")
    history.read(archive, TARGET, later, [])  # type: ignore[arg-type]
    assert numbers(store) == [1, 3]
    assert archive.asked[1][1:] == (now - timedelta(days=90), {"page": 1})


def test_other_words_begin_anew(history: History, now: datetime) -> None:
    archive = Archive([old(1, now)], Refused(Trouble.AUTH, "bad token"))
    with pytest.raises(Refused):
        history.read(archive, TARGET, asked(now), [])  # type: ignore[arg-type]
    history.read(archive, TARGET, Asked(since=now - timedelta(days=7), words="7d"), [])  # type: ignore[arg-type]
    history.read(archive, TARGET, asked(now, glob="web/*"), ["web/deploy"])  # type: ignore[arg-type]
    assert archive.asked[1][1] == now - timedelta(days=7)
    assert archive.asked[2][2] == {}


def test_a_rate_limit_is_waited_for_and_an_outage_is_not(
    history: History, store: Database, now: datetime, told: list[Progress]
) -> None:
    limit = Unavailable(Trouble.RATE_LIMIT, "no requests left", retry_after=600)
    archive = Archive([old(1, now)], limit, [old(3, now)], Unavailable(Trouble.TIMEOUT, "too slow", retry_after=5))
    with pytest.raises(Unavailable, match="too slow"):
        history.read(archive, TARGET, asked(now), [])  # type: ignore[arg-type]
    assert numbers(store) == [1, 3]
    assert [each.waiting for each in told if each.waiting] == [timedelta(minutes=10)]


def test_what_polling_knows_is_handed_on(history: History, store: Database, now: datetime) -> None:
    generations: Mapping[str, Mapping[str, Any]] = {
        "backfill": {"gens": {"web/deploy": 2}},
        "job:web/deploy": {"last": 7},
    }
    store.transact(lambda session: cursors.save(session, "ci", "jobs", generations))
    archive = Archive([old(1, now)])
    history.read(archive, TARGET, asked(now), [])  # type: ignore[arg-type]
    assert archive.asked[0][2] == {"gens": {"web/deploy": 2}}
    assert store.read(lambda session: cursors.load(session, "ci", "jobs")) == generations


def test_news_is_left_to_polling_or_nobody_would_hear_of_it(history: History, store: Database, now: datetime) -> None:
    last_poll = now - timedelta(hours=1)
    store.transact(lambda session: notes.put(session, POLLS, {"ci:jobs": last_poll.isoformat()}, now))
    news = build(9, pipeline=WEB, started_at=now - timedelta(minutes=30))
    history.read(Archive([old(1, now), news]), TARGET, asked(now), [])  # type: ignore[arg-type]
    assert numbers(store) == [1]
    assert without_news(Page(builds=[news]), None).builds == [news]


@pytest.mark.usefixtures("house_config")
def test_the_command_reads_history_and_raises_no_alert(buildwatch: Commands, house: Simulator) -> None:
    for _ in range(3):
        house.world.jenkins.job("team/api").build("FAILURE")
    ran = buildwatch("backfill", "--since", "90d")
    assert ran.status == 0, ran.err
    assert "jenkins:jobs: 8 builds since" in ran.out
    assert "github:acme/web: 3 builds since" in ran.out
    assert len(buildwatch("builds", "--json", "--pipeline", "team/api").json) == 6
    assert buildwatch("alerts", "--all", "--json").json == []
    assert "0 new" in buildwatch("backfill", "--since", "90d").out


@pytest.mark.usefixtures("house_config")
def test_a_glob_chooses_pipelines(buildwatch: Commands) -> None:
    ran = buildwatch("backfill", "--since", "90d", "--pipeline", "team/*")
    assert (ran.status, "jenkins:jobs: 3 builds" in ran.out, "github" in ran.out) == (0, True, False)
    again = buildwatch("backfill", "--since", "90d", "--pipeline", "nope")
    assert (again.status, again.err) == (1, "no pipeline is like nope\n")


def test_a_dead_server_is_69_and_says_how_to_go_on(buildwatch: Commands) -> None:
    ran = buildwatch("backfill", "--since", "90d")
    assert ran.status == 69
    assert "the same command goes on from here" in ran.err
    assert buildwatch("backfill", "--since", "90d", "--pipeline", "api/*").status == 69


def test_it_wants_to_know_since_when(buildwatch: Commands, stored: Callable[..., None]) -> None:
    stored()
    assert buildwatch("backfill").status == 2


def test_without_pipelines_there_is_nothing_to_read(buildwatch: Commands, config: Path) -> None:
    config.write_text(config.read_text().partition("pipelines:")[0])
    ran = buildwatch("backfill", "--since", "90d")
    assert (ran.status, "nothing is watched" in ran.err) == (1, True)
