"""What the messages about changes of habit say: window_regression, duration, flapping. Statistics stay in the facts."""

from collections.abc import Iterator

from alerts.kinds.durations import RECENT, told
from alerts.kinds.window_regression import BEFORE
from alerts.wording import percent, plural
from alerts.writing.case import Case
from domain.alert import AlertKind
from domain.message import Fact


def window_regression(case: Case) -> str:
    """`success rate 94 % → 68 % (75/110 in the day until ...)`; `success rate is back at 93 % (102/110 in ...)`."""
    if not case.over:
        return case.alert.summary
    evidence = case.evidence
    passed, runs = evidence["passed"], evidence["runs"]
    before = percent(evidence["baseline_passed"], evidence["baseline_runs"])
    found = f"{percent(passed, runs)} % ({passed}/{runs} in the day until {evidence['day']})"
    return f"success rate is back at {found}, it was {before} % before it fell"


def duration(case: Case) -> str:
    """`takes 14 m, 40 % longer than 10 m before (...), since #812`; `takes 10 m 30 s again, it was 14 m`."""
    if not case.over:
        return case.alert.summary
    evidence = case.evidence
    now, worst = told(evidence["after"]), told(evidence["at_firing"])
    if evidence["measure"] == "queue":
        return f"waits {now} before it starts, it was {worst}"
    return f"takes {now} again, it was {worst}"


def flapping(case: Case) -> str:
    """`is flapping: changed sides 9 times in 20 builds, 8 failed`; `has calmed down: 2 changes in 20 builds`."""
    evidence = case.evidence
    if case.over:
        return f"has calmed down: {plural(evidence['changes'], 'change')} of sides in {evidence['builds']} builds"
    return f"is flapping: {case.alert.summary}"


def change_facts(case: Case) -> Iterator[Fact]:
    """The lines of the card that only these kinds have."""
    evidence = case.evidence
    if case.alert.kind is AlertKind.WINDOW_REGRESSION and "phi" in evidence:
        passed, runs = evidence["passed"], evidence["runs"]
        day = f"in the day until {evidence['day']}"
        yield Fact(name="Success rate", value=f"{percent(passed, runs)} %: {passed} of {runs} passed {day}")
        passed, runs = evidence["baseline_passed"], evidence["baseline_runs"]
        normal = f"{percent(passed, runs)} %: {passed} of {runs} passed in the {BEFORE} days before"
        yield Fact(name="Before", value=normal)
        if not case.over and evidence.get("worst"):
            most = (f"{each['pipeline']} {each['failed']}/{each['runs']}" for each in evidence["worst"])
            yield Fact(name="Most failures", value=", ".join(most))
        yield Fact(name="Statistics", value=f"z {evidence['z']:g}, days differ by a factor {evidence['phi']:g} (phi)")
    elif case.alert.kind is AlertKind.DURATION and "measure" in evidence:
        name = "Time in the queue" if evidence["measure"] == "queue" else "Time"
        median = f"median of the last {RECENT} builds that passed"
        yield Fact(name=name, value=f"{told(evidence['after'])}, the {median}")
        yield Fact(name="Before", value=f"{told(evidence['before'])}, of the {evidence['builds_before']} before")
        if evidence.get("stage"):
            yield Fact(name="Stage that grew", value=evidence["stage"])
        yield Fact(
            name="Statistics", value=f"by chance with a probability of {evidence['p']:g} (Mann-Whitney, one-sided)"
        )
    elif case.alert.kind is AlertKind.FLAPPING and "changes" in evidence:
        yield Fact(name="Changes", value=f"{evidence['changes']} between passing and failing")
        yield Fact(name="Failed", value=f"{evidence['failed']} of {evidence['builds']} builds")
