from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from domain.build import Outcome
from tests.support.builders import build, pipeline
from tests.support.commands import Commands

DIGESTS = """
digests:
  - {name: morning, cron: "0 9 * * *", window: 24h, to: team}
  - {name: weekly, cron: "0 9 * * mon", window: 7d, to: team}
"""


def test_a_digest_is_shown_as_it_would_be_now(
    buildwatch: Commands, stored: Callable[..., None], now: datetime, config: Path
) -> None:
    config.write_text(config.read_text() + DIGESTS)
    web = pipeline("web/deploy")
    stored(
        build(1, started_at=now - timedelta(hours=2), pipeline=web),
        build(2, Outcome.FAILURE, started_at=now - timedelta(hours=1), pipeline=web),
        build(3, Outcome.FAILURE, started_at=now - timedelta(days=3), pipeline=web),
    )
    assert "Digest morning: 50 % of 2 builds passed" in buildwatch("digest").out
    assert "Digest weekly: 33 % of 3 builds passed" in buildwatch("digest", "weekly").out
    shown = buildwatch("digest", "morning", "--json").json
    assert (shown["name"], shown["tone"], shown["facts"][1]["name"]) == ("morning", "note", "Builds")
    assert buildwatch("outbox", "--all", "--json").json == []


def test_without_digests_the_usual_one_is_shown(buildwatch: Commands, stored: Callable[..., None]) -> None:
    stored()
    ran = buildwatch("digest")
    assert (ran.status, "Digest daily: no build ended" in ran.out) == (0, True)


def test_an_unknown_name_is_a_usage_error_that_names_the_known_ones(buildwatch: Commands, config: Path) -> None:
    config.write_text(config.read_text() + DIGESTS)
    ran = buildwatch("digest", "evening")
    assert ran.status == 2
    assert "morning, weekly" in ran.err
