import io
import json
import re
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from _pytest.capture import CaptureIO

from domain.build import Outcome
from poller.cli import showing
from poller.cli.arguments import since_moment, window
from poller.cli.backfill import _display
from poller.cli.history import Progress
from providers._base import Target
from tests.support.builders import NOON, build
from tests.support.commands import Commands


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output, as capsys makes it, is a colourful terminal, 150 wide."""
    monkeypatch.setattr(CaptureIO, "isatty", lambda _: True, raising=False)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "150")


def uncoloured(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_colours(buildwatch: Commands, stored: Callable[..., None], now: datetime) -> None:
    stored(build(1, Outcome.FAILURE, started_at=now - timedelta(hours=1), reason="[red]foreign[/red] \x1b[2J"))
    out = buildwatch("builds").out
    assert "\x1b[1;31mfailure" in out
    assert "[red]foreign[/red] \\x1b[2J" in uncoloured(out).replace("\n", "")
    assert "\x1b[32mconfig.yaml is fine" in buildwatch("check").out


@pytest.mark.usefixtures("terminal")
def test_a_backfill_shows_a_bar_for_each_target(capsys: pytest.CaptureFixture[str]) -> None:
    target = Target(provider="ci", key="[jobs]", every=timedelta(seconds=60))
    with _display() as tell:
        for share in (0.0, 0.5, 1.0):
            tell(Progress(target=target, share=share, builds=7, new=3, since=NOON))
    out = uncoloured(capsys.readouterr().out)
    assert "ci:[jobs]" in out
    assert "100%" in out
    assert "7 builds since 2026-11-20, 3 new" in out


def test_in_a_pipe_a_backfill_says_when_it_waits_and_what_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    target = Target(provider="ci", key="jobs", every=timedelta(seconds=60))
    with _display() as tell:
        tell(Progress(target=target, share=0.5, builds=7, new=3, since=NOON))
        tell(Progress(target=target, share=0.5, builds=7, new=3, since=NOON, waiting=timedelta(minutes=10)))
        tell(Progress(target=target, share=1.0, builds=9, new=3, since=NOON))
    assert capsys.readouterr().out == (
        "ci:jobs: waiting 10m for the rate limit\nci:jobs: 9 builds since 2026-11-20, 3 new\n"
    )


@pytest.mark.parametrize(
    ("past", "shown"), [(0.2, "now"), (-5, "now"), (61, "1m ago"), (7300, "2h ago"), (200_000, "2d ago")]
)
def test_ages_have_one_unit(past: float, shown: str) -> None:
    assert showing.ago(NOON - timedelta(seconds=past), NOON) == shown


def test_no_data_is_a_dash_and_never_zero() -> None:
    assert (showing.ago(None, NOON), showing.took(None), showing.share(None)) == ("never", "-", "-")
    assert (showing.share(0.0), showing.took(90.4), showing.iso(None)) == ("0.0 %", "1m 30s", None)


def test_json_is_ascii_where_the_output_cannot_hold_more(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    showing.print_json({"sign": "🔴"})
    assert json.loads(raw.getvalue()) == {"sign": "🔴"}


def test_dates_are_utc_unless_they_say_otherwise() -> None:
    assert since_moment("2026-11-01", NOON).isoformat() == "2026-11-01T00:00:00+00:00"
    assert since_moment("2026-11-01T10:00+05:30", NOON).isoformat() == "2026-11-01T04:30:00+00:00"
    assert since_moment("0001-01-01", NOON).year == 1970
    span = window("99999d", NOON, day_starts_at=NOON.time(), zone=NOON.tzinfo)  # type: ignore[arg-type]
    assert not isinstance(span, int)
    assert span.start.year == 1970
