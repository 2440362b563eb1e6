from datetime import timedelta
from pathlib import Path

from bench import day, noise
from bench.breaks import START, Mix
from bench.world import DAY, make_world


def test_settled_verdicts_tell_every_break_with_fewer_messages_than_first_failure_and_fixed(tmp_path: Path) -> None:
    told = noise.stories(Mix(flaky=0.1, breaks=0.05, every=timedelta(minutes=40)), 4, 0.7)
    usual = noise.naive(told, noise.NAIVE[noise.FIRST_FAILURE])
    ours = noise.ours(told, *noise.OURS[noise.SETTLED], tmp_path)
    assert ours.builds == usual.builds > 60
    assert (ours.missed, usual.missed) == (0, 0)
    assert 0 < ours.messages < usual.messages
    assert noise.naive(told, noise.NAIVE[noise.STREAK]).messages <= usual.messages


def test_a_few_hours_through_the_parts_of_the_daemon_lose_nothing(tmp_path: Path) -> None:
    world = make_world(8, 1, Mix(breaks=0.3, every=DAY / 60))
    found = day.live(world, "2m", tmp_path, START + timedelta(hours=1))
    assert found.watch.screens[0].messages
    assert day.endings_wrong(found.rows) == []
    assert found.proof["unexplained"] == []
