from datetime import timedelta

import pytest

from alerts.decide import decide
from alerts.kinds.failing import episodes, threshold
from alerts.rules import FailureRule, Rules
from domain.alert import AlertKind, AlertState, Reason, Severity
from tests.support.builders import NOON
from tests.support.verdicts import LONG_AGO, SCOPE, Memory, failing_only, settled, tail


def test_the_first_failure_fires_and_the_next_pass_resolves() -> None:
    memory = Memory(failing_only())
    assert memory.see("PP") == []
    assert memory.see("PPF") == [Reason.FIRST]
    assert memory.see("PPFF") == []
    assert memory.see("PPFFP") == [Reason.RESOLVED]
    alert = memory.newest()
    assert alert.evidence["first_failed"] == {"id": 1003, "number": 3, "generation": 0}
    assert alert.evidence["last_failed"]["number"] == 4
    assert alert.evidence["last_passed"]["number"] == 2
    assert alert.evidence["fixed_by"]["number"] == 5
    assert (alert.evidence["failures"], alert.evidence["in_a_row"]) == (2, 2)
    assert (alert.transition, alert.resolved_at) == (3, NOON + timedelta(hours=5))


def test_each_further_failure_refreshes_what_was_said_and_disturbs_nobody() -> None:
    memory = Memory(failing_only())
    memory.see("PF")
    assert memory.see("PFF") == []
    assert memory.newest().evidence["in_a_row"] == 2
    assert memory.newest().summary == "2 failed in a row since #2"
    assert memory.newest().transition == 2
    assert memory.see("PFF") == []
    assert memory.newest().transition == 2


def test_neutral_builds_are_not_in_the_stream_so_a_streak_goes_on_across_them() -> None:
    memory = Memory(failing_only())
    told = [memory.see(letters) for letters in ("F", "F.F", "F.F.P")]
    assert told == [[Reason.FIRST], [], [Reason.RESOLVED]]


def test_two_in_a_row_are_asked_for_and_a_single_failure_is_nothing() -> None:
    memory = Memory(failing_only(after=2))
    assert memory.see("PFPFP") == []
    assert memory.see("PFPFPF") == []
    assert memory.see("PFPFPFF") == [Reason.FIRST]
    assert memory.newest().evidence["first_failed"]["number"] == 6


def test_two_passes_are_asked_for_before_it_is_fixed() -> None:
    memory = Memory(failing_only(resolve_after=2))
    told = [memory.see("FPFPP"[:length]) for length in range(1, 6)]
    assert told == [[Reason.FIRST], [], [], [], [Reason.RESOLVED]]
    assert memory.newest().evidence["in_a_row"] == 1
    assert memory.newest().evidence["failures"] == 2


def test_fixed_and_broken_again_in_one_page_is_told_as_both() -> None:
    memory = Memory(failing_only())
    memory.see("PF")
    assert memory.see("PFPF") == [Reason.RESOLVED, Reason.FIRST]
    assert [alert.state for alert in memory.alerts.values()] == [AlertState.RESOLVED, AlertState.FIRING]


def test_what_broke_and_recovered_unseen_is_told_once_as_the_newest() -> None:
    memory = Memory(failing_only())
    assert memory.see("PFPFFP") == [Reason.FIRST]
    alert = memory.newest()
    assert alert.state is AlertState.RESOLVED
    assert alert.evidence["first_failed"]["number"] == 4
    assert memory.see("PFPFFP") == []


def test_an_open_break_is_told_and_the_closed_ones_before_it_are_not() -> None:
    memory = Memory(failing_only())
    assert memory.see("PFPFPF") == [Reason.FIRST]
    assert [alert.state for alert in memory.alerts.values()] == [AlertState.FIRING]


def test_an_older_build_that_fails_after_a_newer_one_has_passed_is_told_once() -> None:
    memory = Memory(failing_only())
    memory.see("P" * 8 + ".P")
    line = [settled(number, "P") for number in range(1, 9)]
    line += [settled(9, "F", finished_at=NOON + timedelta(hours=11)), settled(10, "P")]
    assert memory.see(line, fresh={1009}) == [Reason.FIRST]
    alert = memory.newest()
    assert alert.state is AlertState.RESOLVED
    assert alert.resolved_at == alert.started_at == NOON + timedelta(hours=11)
    assert memory.see(line, fresh={1009}) == []


def test_a_late_failure_before_an_alert_that_is_over_is_told_when_it_is_fresh() -> None:
    memory = Memory(failing_only())
    memory.see("P.PPF")
    memory.see("P.PPFP")
    assert memory.see("PFPPFP", fresh={1002}) == [Reason.FIRST]
    assert memory.newest().evidence["first_failed"]["number"] == 2


def test_what_is_not_fresh_is_old_news() -> None:
    memory = Memory(failing_only())
    assert memory.see("PFPP", fresh={1004}) == []
    assert memory.see("PFPP", fresh=()) == []


def test_a_late_pass_narrows_the_range_and_says_nothing() -> None:
    memory = Memory(failing_only())
    memory.see("PF.F")
    assert memory.newest().evidence["in_a_row"] == 2
    assert memory.see("PFPF", fresh={1003}) == []
    alert = memory.newest()
    assert alert.state is AlertState.FIRING
    assert alert.evidence["first_failed"]["number"] == 4
    assert alert.evidence["last_passed"]["number"] == 3
    assert memory.see("PFPFP", fresh={1005}) == [Reason.RESOLVED]
    assert len(memory.alerts) == 1


def test_a_late_failure_widens_the_range_of_an_alert_and_says_nothing() -> None:
    memory = Memory(failing_only())
    memory.see("P.F")
    assert memory.see("PFF") == []
    assert memory.newest().evidence["first_failed"]["number"] == 2


def test_the_newest_commit_fails_before_two_older_greens_finish_and_stays_firing() -> None:
    memory = Memory(failing_only())
    assert memory.see("P..F") == [Reason.FIRST]
    assert memory.see("PP.F") == []
    assert memory.see("PPPF") == []
    assert len(memory.firing()) == 1


def test_a_late_pass_within_the_streak_closes_an_alert_that_asked_for_two_in_a_row() -> None:
    memory = Memory(failing_only(after=2))
    assert memory.see("PF.F") == [Reason.FIRST]
    assert memory.see("PFPF") == [Reason.CLOSED]
    assert memory.newest().evidence["closed_because"] == "never 2 in a row, a late build passed"
    assert memory.see("PFPFF") == [Reason.FIRST]


def test_a_late_pass_within_the_streak_after_a_newer_pass_resolves() -> None:
    memory = Memory(failing_only(after=2))
    memory.see("PF.F")
    assert memory.see("PFPFP") == [Reason.RESOLVED]
    assert memory.newest().evidence["fixed_by"]["number"] == 5


def test_a_failure_that_passes_on_re_run_resolves_as_flaky() -> None:
    memory = Memory(failing_only())
    memory.see("PF")
    assert memory.see("PR") == [Reason.RESOLVED]
    assert memory.newest().evidence["fixed_by"]["number"] == 2
    assert memory.newest().evidence["flaky"] is True


def test_a_re_run_that_passes_while_a_newer_build_fails_tells_both() -> None:
    memory = Memory(failing_only())
    memory.see("PF")
    assert memory.see("PRPF") == [Reason.RESOLVED, Reason.FIRST]


def test_a_re_run_that_fails_again_fires_again() -> None:
    memory = Memory(failing_only())
    told = [memory.see(letters) for letters in ("PF", "PR", "PF")]
    assert told == [[Reason.FIRST], [Reason.RESOLVED], [Reason.FIRST]]


def test_a_build_that_is_run_again_has_no_verdict_meanwhile_and_its_alert_goes_on() -> None:
    memory = Memory(failing_only(after=2))
    memory.see("PFF")
    before = dict(memory.alerts)
    assert memory.see("PF.") == []
    assert memory.alerts == before
    assert memory.see("PFF") == []
    assert memory.see("PF.P") == [Reason.RESOLVED]


def test_the_only_failure_is_run_again_and_fails_or_passes() -> None:
    for outcome, told in (("F", []), ("R", [Reason.RESOLVED])):
        memory = Memory(failing_only())
        memory.see("PF")
        assert memory.see("P.") == []
        assert memory.see("P" + outcome) == told
    cancelled = Memory(failing_only())
    cancelled.see("PF")
    assert cancelled.see("P.F") == []
    assert cancelled.newest().evidence["in_a_row"] == 2
    assert cancelled.see("P.FP") == [Reason.RESOLVED]


def test_nothing_is_known_of_an_empty_stream() -> None:
    memory = Memory(failing_only())
    assert memory.see("") == []
    memory.see("F")
    assert memory.see("") == []
    assert len(memory.firing()) == 1


@pytest.mark.parametrize(("before", "afterwards"), [(1, 3), (3, 1), (1, "auto"), ("auto", 2)])
def test_changing_the_threshold_in_mid_alert_neither_fires_again_nor_orphans(
    before: object, afterwards: object
) -> None:
    memory = Memory(failing_only(after=before))
    assert memory.see("PFFF") == [Reason.FIRST]
    memory.rules = failing_only(after=afterwards)
    assert memory.see("PFFF") == []
    assert memory.see("PFFFF") == []
    assert memory.see("PFFFFP") == [Reason.RESOLVED]
    assert memory.see("PFFFFP") == []


def test_a_lower_threshold_does_not_dig_up_what_is_over() -> None:
    memory = Memory(failing_only(after=3))
    memory.see("PFPFFP")
    memory.rules = failing_only(after=1)
    assert memory.see("PFPFFPP", fresh={1007}) == []


def test_a_raised_resolve_after_does_not_reopen_what_was_fixed() -> None:
    memory = Memory(failing_only(resolve_after=1))
    memory.see("PF")
    assert memory.see("PFP") == [Reason.RESOLVED]
    memory.rules = failing_only(resolve_after=2)
    assert memory.see("PFP") == []
    assert memory.see("PFPF") == [Reason.FIRST]


def test_switching_the_kind_off_closes_its_alert() -> None:
    memory = Memory(failing_only())
    memory.see("PF")
    memory.rules = Rules(failure=None, success_rate_drop=None)
    assert memory.see("PF") == [Reason.CLOSED]
    assert memory.see("PFF") == []
    assert memory.newest().summary == "closed: failure is switched off"


def test_what_failed_before_first_contact_is_baseline_and_said_to_nobody() -> None:
    memory = Memory(failing_only(), watched_since=NOON + timedelta(hours=3))
    assert memory.see("PFF") == []
    alert = memory.newest()
    assert alert.state is AlertState.FIRING
    assert alert.evidence["baseline"] is True
    assert memory.see("PFFF") == []
    assert memory.newest().evidence["baseline"] is True
    assert memory.see("PFFFP") == []
    assert memory.newest().state is AlertState.RESOLVED


def test_what_failed_and_recovered_before_first_contact_is_nothing() -> None:
    memory = Memory(failing_only(), watched_since=NOON + timedelta(hours=9))
    assert memory.see("PFFPPFP") == []
    assert memory.alerts == {}


def test_a_break_that_reaches_into_our_time_is_told() -> None:
    memory = Memory(failing_only(), watched_since=NOON + timedelta(hours=2))
    assert memory.see("PFF") == [Reason.FIRST]


def test_an_alert_that_nobody_was_told_of_ends_silently() -> None:
    memory = Memory(failing_only(), watched_since=NOON + timedelta(hours=3))
    memory.see("PF")
    assert memory.see("PFP") == []
    assert memory.newest().transition == 2


def test_a_streak_longer_than_the_tail_keeps_its_beginning_and_its_length() -> None:
    memory = Memory(failing_only())
    long = tail("P" + "F" * 30)
    for length in range(1, len(long) + 1):
        memory.see(long[max(length - 10, 0) : length])
    alert = memory.newest()
    assert (alert.evidence["in_a_row"], alert.evidence["failures"]) == (30, 30)
    assert alert.evidence["first_failed"]["number"] == 2
    assert alert.evidence["last_failed"]["number"] == 31
    assert alert.evidence["last_passed"]["number"] == 1
    assert memory.see([*long[-9:], settled(32, "P")]) == [Reason.RESOLVED]
    assert len(memory.alerts) == 1


def test_a_long_episode_with_passes_in_between_counts_the_last_streak() -> None:
    memory = Memory(failing_only(after=2, resolve_after=2))
    long = tail("FF" + "PF" * 8 + "FF")
    for length in range(1, len(long) + 1):
        memory.see(long[max(length - 6, 0) : length])
    assert memory.newest().evidence["in_a_row"] == 3
    assert memory.newest().evidence["failures"] == 12
    assert memory.see([*long[-4:], *tail("PP", first=21)]) == [Reason.RESOLVED]


def test_auto_asks_for_one_until_there_are_twenty_builds() -> None:
    assert threshold(FailureRule(after="auto"), tail("PF" * 9)) == 1


def test_auto_adapts_to_how_often_a_stream_fails_by_chance() -> None:
    auto = FailureRule(after="auto")
    assert threshold(auto, tail("P" * 100)) == 1
    monthly = [settled(number, "F" if number % 10 == 5 else "P") for number in range(1, 721)]
    assert threshold(auto, monthly) == 3  # 0.1^2 * 720 builds in 30 days = 7.2, 0.1^3 * 720 = 0.72
    assert threshold(auto, tail("FP" * 300)) == 5


def test_auto_does_not_move_while_a_streak_goes_on() -> None:
    past = "PPPPPPPPPF" * 8 + "P"
    auto = FailureRule(after="auto")
    assert {threshold(auto, tail(past + "F" * count)) for count in range(30)} == {threshold(auto, tail(past))}


def test_a_new_numbering_comes_after_the_old_one() -> None:
    memory = Memory(failing_only())
    line = [settled(811, "P"), settled(812, "F")]
    memory.see(line)
    again = settled(1, "P", generation=1, build_id=7, finished_at=NOON + timedelta(days=60))
    assert memory.see([*line, again]) == [Reason.RESOLVED]


def test_episodes_tell_their_streaks_apart() -> None:
    found = episodes(tail("FPFFPFFF"), after=2, resolve_after=1)
    assert [(each.failures[0].number, each.in_a_row, each.fixed_by is None) for each in found] == [
        (3, 2, False),
        (6, 3, True),
    ]


def test_a_decision_names_the_builds_that_its_message_needs() -> None:
    (decision,) = decide(
        scope=SCOPE, tail=tail("PFF"), stored=[], rules=failing_only(), watched_since=LONG_AGO, now=NOON
    )
    assert sorted(decision.build_ids) == [1001, 1002, 1003]
    assert (decision.alert.kind, decision.alert.severity) == (AlertKind.FAILURE, Severity.CRITICAL)
    assert decision.alert.started_at == NOON + timedelta(hours=2)
