"""Samples of messages about many pipelines at once: groups, a storm, a digest."""

from datetime import datetime, timedelta, tzinfo

from alerts.policies.digest import Digest, Open, Polls, Report, Slower, Strip, Tally, Unsteady
from alerts.writing import digest_message
from domain.message import SIGNS, Cell, Fact, Message, Table, Tone
from domain.window import Window

_NAMES = ("web", "api", "auth", "billing", "search", "mail", "images", "reports", "gateway", "docs", "mobile", "admin")
_WHAT = '"quota exceeded for m5.large" in stage Provision'
_DAYS = 7
_GAP = "02:10\N{EN DASH}06:40 (4 h 30 m)"


def group(now: datetime) -> Message:
    """Twelve pipelines that failed with one cause."""
    return _summary(
        now, Tone.BROKEN, f"{len(_NAMES)} pipelines failed, same cause: cloud aws", [(Tone.BROKEN, _WHAT)] * len(_NAMES)
    )


def group_over(now: datetime) -> Message:
    """Some of them are fixed."""
    states = [(Tone.FIXED, "fixed by #813 after 40 m")] * 2
    return _summary(now, Tone.FIXED, "2 of 12 are fixed: web / main, api / main; 10 still failing", states)


def storm(now: datetime) -> Message:
    """More than a channel can take one by one."""
    states = [(Tone.BROKEN, _WHAT), (Tone.WORSE, "success rate 94 % → 68 %"), (Tone.FIXED, "fixed after 12 m")] * 4
    headline = "Too much at once, 12 alerts in one message: 4 failed, 4 success rate dropped, 4 over"
    return _summary(now, Tone.BROKEN, headline, states)


def started(now: datetime) -> Message:
    """The daemon is back after a night."""
    return Message(
        tone=Tone.NOTE,
        headline=f"{SIGNS[Tone.NOTE]} buildwatch was down {_GAP}: 37 builds filled in, 2 alerts late",
        facts=(
            Fact(name="web / main", value="2 failures in a row since #811, since Sat 03:05"),
            Fact(name="api / main", value="failed (#412), since Sat 05:50"),
        ),
        thread="sample-summary",
        at=now,
    )


def digest(now: datetime, zone: tzinfo) -> Message:
    """A working day that was not the best."""
    day = timedelta(days=1)
    windows = [Window(start=now - (index + 1) * day, end=now - index * day) for index in reversed(range(15))]
    tallies = [Tally(101 + index % 4, 5 + index % 3, 2) for index in range(14)] + [Tally(84, 24, 3)]
    days = windows[-_DAYS:]
    names = _NAMES[:6]
    report = Report(
        digest=Digest(name="daily", cron="0 10 * * *", window="daily", to=("team",)),
        slot=now,
        windows=windows,
        tallies=tallies,
        days=days,
        pipelines=[_strip(f"{name} / main", index, _url(name)) for index, name in enumerate(names)],
        labels={"cloud": [_strip(name, index + 1, None) for index, name in enumerate(("aws", "gcp", "azure"))]},
        open=[
            Open(name="web / main", url=_url("web"), what=_WHAT, since=now - 3 * day, handling="acknowledged by ada"),
            Open(name="api / main", url=_url("api"), what="failed 4 in a row", since=now - timedelta(hours=5)),
            Open(
                name="search / main",
                url=_url("search"),
                what="success rate 94 % → 68 %",
                since=now - timedelta(hours=2),
                failing=False,
            ),
        ],
        unsteady=[Unsteady(name="mobile / main", url=_url("mobile"), reruns=4, changes=9, builds=38)],
        slower=[
            Slower(name="billing / main", url=_url("billing"), before=timedelta(minutes=10), now=timedelta(minutes=14))
        ],
        buckets={"helm-timeout": 9, "out-of-memory": 6, "quota": 4},
        unclassified=5,
        polls=[Polls(provider="github", made=2_880, failed=3, longest_gap=timedelta(minutes=2))],
        self_check="all 24 failed builds have a message or a reason",
    )
    return digest_message.compose(report, now=now, zone=zone)


def _strip(name: str, index: int, url: str | None) -> Strip:
    days = tuple(Tally(20 - (index * day * 5) % 17, (index * day * 5) % 17) for day in range(_DAYS - 1))
    quiet = Tally() if index % 2 else Tally(18, 2)
    now = Tally(6 + 2 * index, max(8 - 2 * index, 0))
    return Strip(name=name, url=url, days=(quiet, *days), now=now)


def _summary(now: datetime, tone: Tone, headline: str, states: list[tuple[Tone, str]]) -> Message:
    rows = tuple(
        (Cell(text=f"{name} / main", tone=each, url=_url(name)), Cell(text=what))
        for name, (each, what) in zip(_NAMES, states, strict=False)
    )
    return Message(
        tone=tone,
        headline=f"{SIGNS[tone]} {headline}",
        tables=(Table(title="Fixed" if tone is Tone.FIXED else "Broken", rows=rows),),
        thread="sample-summary",
        at=now,
    )


def _url(name: str) -> str:
    return f"https://ci.example.com/job/{name}/812/"
