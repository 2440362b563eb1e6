"""The order in which builds arrive cannot change what is firing in the end."""

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.kinds.failing import episodes
from domain.stream import Settled
from tests.support.verdicts import Memory, failing_only, tail

LETTERS = st.text(alphabet="PF", min_size=1, max_size=9)
THRESHOLDS = st.integers(min_value=1, max_value=3)


def arrive(line: list[Settled], order: list[int], memory: Memory) -> None:
    """Each build arrives alone; after each, asking again must decide nothing."""
    for count in range(1, len(order) + 1):
        here = [line[index] for index in sorted(order[:count])]
        memory.see(here, fresh={line[order[count - 1]].build_id})
        said = len(memory.told)
        before = dict(memory.alerts)
        memory.see(here, fresh=set())
        memory.see(here)
        assert memory.alerts == before
        assert len(memory.told) == said


@settings(max_examples=300, deadline=None)
@given(letters=LETTERS, after=THRESHOLDS, resolve_after=THRESHOLDS, data=st.data())
def test_any_order_of_arrival_ends_in_the_state_that_the_fold_gives(
    letters: str, after: int, resolve_after: int, data: st.DataObject
) -> None:
    line = tail(letters)
    order = data.draw(st.permutations(range(len(line))))
    memory = Memory(failing_only(after, resolve_after))
    arrive(line, list(order), memory)
    found = episodes(line, after=after, resolve_after=resolve_after)
    assert bool(memory.firing()) is bool(found and found[-1].fixed_by is None)


@settings(max_examples=300, deadline=None)
@given(letters=LETTERS, data=st.data())
def test_by_default_the_newest_build_alone_decides_and_a_late_one_flips_nothing(
    letters: str, data: st.DataObject
) -> None:
    line = tail(letters)
    order = data.draw(st.permutations(range(len(line))))
    memory = Memory(failing_only())
    for count in range(1, len(order) + 1):
        here = sorted(order[:count])
        memory.see([line[index] for index in here], fresh={line[order[count - 1]].build_id})
        assert bool(memory.firing()) is (letters[here[-1]] == "F")


@settings(max_examples=200, deadline=None)
@given(letters=LETTERS, after=THRESHOLDS, resolve_after=THRESHOLDS, data=st.data())
def test_everyone_who_was_told_of_a_break_is_told_how_it_ended(
    letters: str, after: int, resolve_after: int, data: st.DataObject
) -> None:
    line = tail(letters)
    order = data.draw(st.permutations(range(len(line))))
    memory = Memory(failing_only(after, resolve_after))
    arrive(line, list(order), memory)
    memory.see(line + tail("P" * resolve_after, first=len(line) + 1))
    assert memory.firing() == []
    for alert in memory.alerts.values():
        reasons = [reason for reason, each in memory.told if each.id == alert.id]
        assert reasons in (["first"], ["first", "resolved"], ["first", "closed"])
        assert len(reasons) <= alert.transition


@settings(max_examples=200, deadline=None)
@given(letters=LETTERS, cuts=st.sets(st.integers(min_value=1, max_value=8)))
def test_every_break_that_is_still_open_when_looked_at_is_told(letters: str, cuts: set[int]) -> None:
    memory = Memory(failing_only())
    for end in sorted(cuts | {len(letters)}):
        seen = letters[:end]
        memory.see(seen)
        assert bool(memory.firing()) is (seen[-1:] == "F")
