"""Timing in interleaved rounds, and the few lines in which a benchmark tells what it found."""

import math
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Timing:
    """What some rounds of one subject took, in seconds."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # of this process

    @property
    def median(self) -> float:
        """Of the wall time."""
        return statistics.median(self.wall)

    @property
    def cpu_median(self) -> float:
        """Of the processor time."""
        return statistics.median(self.cpu)

    def percentile(self, share: float) -> float:
        """The nearest-rank percentile of the wall time."""
        return _nearest_rank(self.wall, share)

    def cpu_percentile(self, share: float) -> float:
        """The nearest-rank percentile of the processor time: what a busy machine does not blur."""
        return _nearest_rank(self.cpu, share)


def _nearest_rank(values: Sequence[float], share: float) -> float:
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def interleaved(subjects: Mapping[str, Callable[[], object]], rounds: int = 5) -> dict[str, Timing]:
    """Run each subject once a round, so that a noisy minute falls on all of them. One run before is not counted."""
    timings = {name: Timing() for name in subjects}
    for subject in subjects.values():
        subject()
    for _ in range(rounds):
        for name, subject in subjects.items():
            add_round(timings[name], subject)
    return timings


def add_round(timing: Timing, subject: Callable[[], object]) -> None:
    """Run a subject once and note what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    subject()
    timing.wall.append(time.perf_counter() - wall)
    timing.cpu.append(time.process_time() - cpu)


def heading(text: str) -> None:
    print(f"\n== {text}")


def note(text: str) -> None:
    print(f"   {text}")


def table(timings: Mapping[str, Timing], reference: str) -> None:
    """Median, minimum and maximum of each subject in milliseconds, and the ratio of the medians to the reference."""
    base = timings[reference].median
    width = max(len(name) for name in timings)
    print(f"   {'':{width}} {'median':>10} {'min':>10} {'max':>10} {'cpu':>10}   x {reference}")
    for name, timing in timings.items():
        figures = (timing.median, min(timing.wall), max(timing.wall), timing.cpu_median)
        print(f"   {name:{width}} {' '.join(f'{1000 * each:8.2f}ms' for each in figures)}   {timing.median / base:.3g}")


def rows(head: Sequence[str], lines: Sequence[Sequence[object]]) -> None:
    """A plain table."""
    cells = [[str(each) for each in line] for line in (head, *lines)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    for line in cells:
        first, *rest = zip(line, widths, strict=True)
        print("   " + f"{first[0]:<{first[1]}} " + " ".join(f"{text:>{width}}" for text, width in rest))


def goal(text: str, value: float, limit: float, unit: str = "", *, at_least: bool = False) -> None:
    """One goal of the design, met or missed."""
    met = value >= limit if at_least else value <= limit
    sign = ">=" if at_least else "<="
    print(f"   {'met   ' if met else 'MISSED'} {text}: {value:.4g}{unit} ({sign} {limit:g}{unit})")


def resident() -> float:
    """Memory of this process now, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def peak() -> float:
    """The most memory that this process ever had, in MiB. Not getrusage: that remembers the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
