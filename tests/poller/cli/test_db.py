from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from store.engine import open_database
from tests.support.builders import build
from tests.support.commands import Commands


def test_stats_count(buildwatch: Commands, stored: Callable[..., None], now: datetime) -> None:
    stored(build(1, started_at=now - timedelta(hours=1)), build(2, started_at=now - timedelta(minutes=30)))
    stats = buildwatch("db", "stats", "--json").json
    assert (stats["builds"], stats["pipelines"], stats["alerts"]) == (2, 1, 0)
    assert datetime.fromisoformat(stats["newest"]) == now - timedelta(minutes=25)
    assert "builds" in buildwatch("db", "stats").out


def test_a_backup_is_a_whole_store_and_overwrites_nothing(
    buildwatch: Commands, stored: Callable[..., None], now: datetime, tmp_path: Path
) -> None:
    stored(build(1, started_at=now - timedelta(hours=1)))
    copy = tmp_path / "copy.db"
    assert buildwatch("db", "backup", str(copy)).status == 0
    assert copy.stat().st_mode & 0o777 == 0o600
    open_database(f"sqlite:///{copy}", create=False).close()
    again = buildwatch("db", "backup", str(copy))
    assert (again.status, "exists already" in again.err) == (1, True)
    other = buildwatch("db", "backup", str(tmp_path / "other.db"), "--json").json
    assert other["bytes"] > 0


def test_prune_forgets_what_is_too_old(buildwatch: Commands, stored: Callable[..., None], now: datetime) -> None:
    stored(build(1, started_at=now - timedelta(days=500)), build(2, started_at=now - timedelta(hours=1)))
    assert buildwatch("db", "prune", "--json").json["builds"] == 1
    assert "0 builds" in buildwatch("db", "prune").out


def test_upgrade_makes_what_is_missing_and_says_the_revision(buildwatch: Commands) -> None:
    assert buildwatch("db", "upgrade", "--json").json["revision"]
    assert "newest" in buildwatch("db", "upgrade").out


def test_actions_want_what_they_need_and_nothing_else(buildwatch: Commands) -> None:
    assert buildwatch("db", "backup").status == 2
    assert buildwatch("db", "stats", "somewhere").status == 2
    assert buildwatch("db").status == 2
