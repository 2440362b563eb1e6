from metrics.slower_tests import Slower, slower_tests

IDS = list(range(1, 31))


def durations(name: str, *seconds: float) -> dict[tuple[str, str], dict[int, float]]:
    return {("s", name): dict(zip(IDS[-len(seconds) :], seconds, strict=True))}


def test_tests_that_take_longer_than_they_did_come_worst_first() -> None:
    some = durations("a", *[2.0] * 20, *[4.0] * 5) | durations("b", *[9.0] * 25, *[30.0] * 5)
    assert slower_tests(IDS, some) == [
        Slower(suite="s", name="b", before=9.0, now=30.0),
        Slower(suite="s", name="a", before=2.0, now=4.0),
    ]
    assert slower_tests(IDS, some)[0].growth == 21.0


def test_little_growth_single_slow_runs_and_short_histories_are_none() -> None:
    small = durations("a", *[0.01] * 20, *[0.5] * 5)
    little = durations("b", *[100.0] * 20, *[120.0] * 5)
    once = durations("c", *[2.0] * 22, 90.0, 90.0, 2.0)
    short = durations("d", *[2.0] * 9, *[9.0] * 5)
    assert slower_tests(IDS, small | little | once | short) == []
