"""Messages for a thousand builds, and breaks that nobody was told of: this alert pipeline against what scripts do.

`python -m bench.noise [--quick]`. Builds are flaky (they fail, and pass when run again) and break for real. Our
side is the whole way from a poll to the outbox, as `buildwatch replay` runs it.
"""

import argparse
import statistics
import tempfile
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from bench.breaks import MINUTE, START, Break, Mix, Story, arrivals, tell_story
from bench.measure import goal, heading, note, rows
from bench.recorded import recorded
from domain.alert import Alert, AlertKind, Notification, Reason
from domain.build import Build, Outcome, Pipeline
from poller.config import Configuration, load
from poller.rehearsing.replay import Replay
from poller.rehearsing.replay_history import People, Poll
from store import proof
from store.engine import Session, open_database

POLL = timedelta(minutes=3)
FAILED = frozenset({Outcome.FAILURE, Outcome.UNSTABLE})
MIXES = {
    "2 % flaky, 1 % breaks": Mix(flaky=0.02),
    "5 % flaky, 1 % breaks": Mix(flaky=0.05),
    "5 % flaky, 0.2 % breaks": Mix(flaky=0.05, breaks=0.002),
    "10 % flaky, 1 % breaks": Mix(flaky=0.10),
    "5 % flaky, half of it run again": Mix(flaky=0.05, rerun=0.5),
}
THE_GOAL = "5 % flaky, 1 % breaks"
FIRST_FAILURE, STREAK, RATE = "first failure + fixed", "streak of 3", "24 h < 80 %, min 10"
SETTLED, DEFAULTS, AUTO = "settled (wait 10m)", "as it comes (wait 0s)", "settled, after: auto"
CONFIG = """\
store: {{url: "sqlite:///{folder}/unused.db"}}
providers: {{ci: {{kind: jenkins, url: "https://ci.example.com/", username: bot, token: secret}}}}
pipelines: [{{provider: ci, job: "**"}}]
channels: {{desk: {{kind: slack, webhook_url: "https://hooks.example.com/x"}}}}
routes: [{{to: [desk]}}]
defaults: {{rerun: {{wait: {wait}}}}}
alerts: {{failure: {{after: {after}}}}}
"""
OURS = {SETTLED: ("10m", "1"), DEFAULTS: ("0s", "1"), AUTO: ("10m", "auto")}


class Said(NamedTuple):
    """A pipeline was called broken: when, and which of its builds that covers."""

    at: datetime
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a policy said about one pipeline."""

    messages: int
    said: Sequence[Said]


Policy = Callable[[Sequence[Build]], Found]


def _red(builds: Sequence[Build], is_red: Callable[[Build], bool]) -> Found:
    """A policy with two states: it says when it turns red, and when green."""
    said: list[Said] = []
    red, messages = False, 0
    for build in builds:
        was, red = red, is_red(build)
        messages += was is not red
        if red and not was:
            said.append(Said(build.finished_at or START, build.number, build.number))
        elif red:
            said[-1] = said[-1]._replace(last=build.number)
    return Found(messages, said)


def _ended(builds: Sequence[Build]) -> Sequence[Build]:
    return [build for build in builds if build.outcome is not Outcome.CANCELLED]


def streak(of: int) -> Policy:
    """So many builds in a row; another attempt of a build replaces the one before."""

    def policy(builds: Sequence[Build]) -> Found:
        failing: set[int] = set()

        def is_red(build: Build) -> bool:
            if build.outcome in FAILED:
                failing.add(build.number)
            else:
                failing.clear()
            return len(failing) >= of

        return _red(_ended(builds), is_red)

    return policy


def fixed_threshold(builds: Sequence[Build], *, span: timedelta = timedelta(hours=24)) -> Found:
    """The success rate of a day under 80 %, with ten builds at least."""
    recent: deque[Build] = deque()

    def is_red(build: Build) -> bool:
        recent.append(build)
        now = build.finished_at or START
        while (recent[0].finished_at or START) <= now - span:
            recent.popleft()
        newest = {each.number: each.outcome in FAILED for each in recent}
        return len(newest) >= 10 and sum(newest.values()) > 0.2 * len(newest)

    return _red(_ended(builds), is_red)


NAIVE: Mapping[str, Policy] = {FIRST_FAILURE: streak(1), STREAK: streak(3), RATE: fixed_threshold}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A policy over all pipelines of a mix."""

    messages: int
    other: Mapping[AlertKind, int]  # of these, those that are not about a failure
    builds: int
    breaks: int
    delays: Sequence[tuple[int, timedelta]]  # of each break that was told: builds and time since it was seen

    @property
    def missed(self) -> int:
        """Breaks that nobody was told of."""
        return self.breaks - len(self.delays)

    @property
    def per_thousand(self) -> float:
        """Messages for a thousand builds, re-runs not counted as such."""
        return 1000 * self.messages / self.builds

    def cells(self) -> Sequence[str]:
        """A row of the table."""
        delays = [builds for builds, _ in self.delays]
        times = [time / MINUTE for _, time in self.delays]
        return (
            f"{self.per_thousand:.1f}",
            f"{self.missed} of {self.breaks}",
            f"{statistics.mean(delays):.2f}" if delays else "-",
            f"{statistics.median(times):.0f} min" if times else "-",
            ", ".join(f"{1000 * count / self.builds:.2f} {kind}" for kind, count in self.other.items()),
        )


def score(stories: Mapping[str, Story], found: Mapping[str, Found], other: Mapping[AlertKind, int]) -> Score:
    delays = []
    for key, story in stories.items():
        delays += [delay for each in story.breaks if (delay := _delay(each, found[key].said)) is not None]
    return Score(
        messages=sum(each.messages for each in found.values()) + sum(other.values()),
        other=other,
        builds=sum(len({build.commit for build in story.builds}) for story in stories.values()),
        breaks=sum(len(story.breaks) for story in stories.values()),
        delays=delays,
    )


def _delay(broken: Break, said: Sequence[Said]) -> tuple[int, timedelta] | None:
    """How late a break was told, in its builds and in time; None when it was not."""
    covering = [each.at for each in said if each.first <= broken.last and broken.first <= each.last]
    if not covering:
        return None
    at = max(min(covering), broken.seen_at)
    return sum(end <= at for end in broken.ends) - 1, at - broken.seen_at


def stories(mix: Mix, pipelines: int, days: float) -> dict[str, Story]:
    """Every other pipeline gives re-runs a number of their own."""
    told = {}
    for number in range(pipelines):
        key = f"team-{number % 5}/job-{number:03}"
        url = f"https://ci.example.com/{key}/"
        branched = number % 2 == 0
        default = "main" if branched else None
        pipeline = Pipeline(provider="ci", key=key, name=key, url=url, branched=branched, default_branch=default)
        told[key] = tell_story(pipeline, mix, mix, begin=START, end=START + timedelta(days=days))
    return told


def naive(told: Mapping[str, Story], policy: Policy) -> Score:
    return score(told, {key: policy(story.builds) for key, story in told.items()}, {})


def ours(told: Mapping[str, Story], wait: str, after: str, folder: Path) -> Score:
    """The whole pipeline over these builds, a poll every few minutes."""
    configuration = configured(folder, wait, after)
    builds = [build for story in told.values() for build in story.builds]
    rows_of = written(builds, configuration, folder)
    other: Counter[AlertKind] = Counter()
    said: dict[str, list[Said]] = defaultdict(list)
    messages: Counter[str] = Counter()
    for alert, row in rows_of:
        if row.reason in {Reason.REFRESH, Reason.THREADED}:
            continue
        key = alert.scope.pipeline or ""
        if alert.kind is not AlertKind.FAILURE:
            other[alert.kind] += 1
            continue
        messages[key] += 1
        if row.reason is Reason.FIRST:
            first, last = (alert.evidence[name]["number"] for name in ("first_failed", "last_failed"))
            said[key].append(Said(row.created_at, first, last))
    found = {key: Found(messages[key], said[key]) for key in told}
    return score(told, found, other)


def configured(folder: Path, wait: str, after: str) -> Configuration:
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(folder=folder, wait=wait, after=after))
    config.chmod(0o600)
    return load(config, environ={})


def written(builds: Sequence[Build], configuration: Configuration, folder: Path) -> list[tuple[Alert, Notification]]:
    """What comes into the outbox when these builds arrive, with the alerts as they are in the end."""
    path = folder / "store.db"
    path.unlink(missing_ok=True)
    database = open_database(f"sqlite:///{path}")
    begin = min(build.started_at or START for build in builds) - POLL
    end = max(build.finished_at or START for build in builds) + timedelta(hours=3)

    def run(session: Session) -> list[tuple[Alert, Notification]]:
        replay = Replay(session=session, configuration=configuration, before=(), since=begin, until=end)
        polls = (Poll(at, "ci", at - POLL, found) for at, found in arrivals(builds, POLL, only_reruns=True))
        replay.run((), polls, People(silences=(), acknowledged=()))
        return proof.written_since(session, begin)

    try:
        return database.transact(run, deadline=3600)
    finally:
        database.close()


def compare(mixes: Mapping[str, Mix], pipelines: int, days: float, folder: Path) -> dict[str, dict[str, Score]]:
    """Every policy on every mix, printed as it is found; what costs most only where the goal is."""
    found: dict[str, dict[str, Score]] = {}
    for name, mix in mixes.items():
        told = stories(mix, pipelines, days)
        wanted = OURS if name == THE_GOAL else {SETTLED: OURS[SETTLED]}
        found[name] = {policy: naive(told, judge) for policy, judge in NAIVE.items()}
        found[name] |= {policy: ours(told, *how, folder) for policy, how in wanted.items()}
        builds = found[name][FIRST_FAILURE].builds
        heading(f"{name}: {builds:,} builds of {pipelines} pipelines")
        head = ("", "messages per 1,000", "breaks missed", "delay in builds", "median delay", "of them not on failures")
        rows(head, [(policy, *each.cells()) for policy, each in found[name].items()])
    return found


def summary(found: Mapping[str, Mapping[str, Score]]) -> None:
    heading("What alerts.md says: 49-258 messages per 1,000 builds, 40 % missed by streaks of 3, 11-61 settled")
    for policy in (FIRST_FAILURE, STREAK, SETTLED):
        scores = [each[policy] for each in found.values()]
        rates, missed = [each.per_thousand for each in scores], sum(each.missed for each in scores)
        share = 100 * missed / max(sum(each.breaks for each in scores), 1)
        note(
            f"{policy}: {min(rates):.0f}-{max(rates):.0f} messages per 1,000 builds, {share:.0f} % of the breaks missed"
        )
    at_goal = found[THE_GOAL]
    ratio = at_goal[SETTLED].per_thousand / at_goal[FIRST_FAILURE].per_thousand
    goal(f"messages of settled verdicts against first failure + fixed, {THE_GOAL}", ratio, 0.5)
    goal("breaks that settled verdicts miss, all mixes", sum(each[SETTLED].missed for each in found.values()), 0)


def real(folder: Path) -> None:
    heading("Recorded histories (../shared/data): messages; pauses are cut to two hours")
    table = []
    for stream, builds in sorted(recorded().items()):
        if len(builds) > 1:
            said = [policy(builds).messages for policy in NAIVE.values()]
            told = ours({builds[0].pipeline.key: Story(_compressed(builds), [])}, *OURS[SETTLED], folder)
            table.append([stream, len(builds), *said, told.messages])
    if table:
        rows(["stream", "builds", *NAIVE, SETTLED], table)
    else:
        note("there are none here")


def _compressed(builds: Sequence[Build], most: timedelta = timedelta(hours=2)) -> list[Build]:
    """The same builds from START on, with shorter pauses between them: what waits for nothing costs time, too."""
    found: list[Build] = []
    at, before = START, builds[0].started_at or START
    for build in sorted(builds, key=lambda each: each.started_at or START):
        began, took = build.started_at or START, build.duration or timedelta(0)
        at, before = at + min(began - before, most), began
        found.append(replace(build, started_at=at, finished_at=at + took))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one mix, and fewer builds")
    parser.add_argument("--pipelines", type=int)
    parser.add_argument("--days", type=float)
    options = parser.parse_known_args()[0]
    pipelines, days = options.pipelines or (15 if options.quick else 30), options.days or (4 if options.quick else 6)
    mixes = {THE_GOAL: MIXES[THE_GOAL]} if options.quick else MIXES
    with tempfile.TemporaryDirectory() as name:
        summary(compare(mixes, pipelines, days, Path(name)))
        real(Path(name))


if __name__ == "__main__":
    main()
