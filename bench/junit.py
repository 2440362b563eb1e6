"""A test report of 200,000 cases: ours against trees, iterparse and bare expat; memory in processes of their own."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.parsers import expat

from defusedxml.ElementTree import iterparse

from bench.measure import goal, heading, interleaved, note, peak, rows, table
from parsers.junit import ReportLimits, read_report

OURS, COUNTED, ITERPARSE, TREE, EXPAT, JUNITPARSER = (
    "ours",
    "ours, counting only",
    "defusedxml iterparse, cleared",
    "xml.etree, whole tree",
    "expat, counting cases",
    "junitparser",
)
FAILURE = "java.lang.AssertionError: expected 1 but was 2\n" + "\tat com.acme.shop.Cart.add(Cart.java:42)\n" * 12


def write(path: Path, cases: int) -> None:
    """Suites of a hundred cases as Surefire writes them: a failure and a skipped case in each, and some output."""
    with path.open("w") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n')
        for suite in range(cases // 100):
            name = f"com.acme.module{suite % 40}.Suite{suite}Test"
            file.write(f'<testsuite name="{name}" tests="100" failures="1" errors="0" skipped="1" time="1.234">\n')
            file.write('<properties><property name="java.version" value="21"/></properties>\n')
            for case in range(100):
                time = f"{suite * case % 999 / 1000:.3f}"
                head = f'<testcase classname="{name}" name="adds{case}[{suite * case}]" time="{time}"'
                if case == 7:
                    file.write(
                        f'{head}><failure message="expected 1" type="E"><![CDATA[{FAILURE}]]></failure></testcase>\n'
                    )
                else:
                    file.write(f"{head}><skipped/></testcase>\n" if case == 8 else f"{head}/>\n")
            file.write("<system-out><![CDATA[started\nstopped\n]]></system-out></testsuite>\n")
        file.write("</testsuites>\n")


def ours(path: Path) -> int:
    with path.open("rb") as file:
        return read_report(file, name=path.name).total


def counted(path: Path) -> int:
    with path.open("rb") as file:
        return read_report(file, name=path.name, limits=ReportLimits(cases=0)).total


def by_iterparse(path: Path) -> int:
    found = 0
    for _, element in iterparse(str(path), forbid_dtd=True):
        found += element.tag == "testcase"
        if element.tag in {"testcase", "testsuite"}:
            element.clear()
    return found


def by_tree(path: Path) -> int:
    return sum(1 for _ in ET.parse(path).iter("testcase"))  # noqa: S314  (our own file)


def by_expat(path: Path) -> int:
    found = 0

    def start(tag: str, _attributes: dict[str, str]) -> None:
        nonlocal found
        found += tag == "testcase"

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    with path.open("rb") as file:
        parser.ParseFile(file)
    return found


def by_junitparser(path: Path) -> int:
    from junitparser import JUnitXml  # noqa: PLC0415

    return sum(sum(1 for _ in suite) for suite in JUnitXml.fromfile(str(path)))


def subjects() -> dict[str, Callable[[Path], int]]:
    """Those that are installed."""
    found = {OURS: ours, COUNTED: counted, ITERPARSE: by_iterparse, TREE: by_tree, EXPAT: by_expat}
    try:
        import junitparser  # noqa: F401, PLC0415
    except ImportError:
        note("junitparser is not installed: it is left out")
        return found
    return {**found, JUNITPARSER: by_junitparser}


def memory(name: str, path: Path) -> float:
    """How much a fresh process grows at most, in MiB."""
    command = [sys.executable, "-m", "bench.junit", "--grown", name, "--file", str(path)]
    return float(
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    )


def grown(name: str, path: Path) -> None:
    """In a process of its own: over a small file, so that imports do not count, then over the large one."""
    work = subjects()[name]
    with tempfile.TemporaryDirectory(prefix="bw-bench-") as folder:
        small = Path(folder) / "small.xml"
        write(small, 100)
        work(small)
    before = peak()
    work(path)
    print(json.dumps(peak() - before))


def measured(count: int, rounds: int, folder: Path) -> None:
    """The table of times, the table of memory, the goals."""
    path = folder / "report.xml"
    write(path, count)
    heading(f"A test report of {count:,} cases, {path.stat().st_size / 2**20:.1f} MiB")
    works = subjects()
    assert {work(path) for work in works.values()} == {count}
    timings = interleaved({name: lambda work=work: work(path) for name, work in works.items()}, rounds)  # type: ignore[misc]
    table(timings, EXPAT)
    sizes = {name: memory(name, path) for name in works}
    rows(("memory beyond the imports", "MiB"), [(name, f"{size:.1f}") for name, size in sizes.items()])
    goal(f"{count:,} cases, processor time, median", timings[OURS].cpu_median, 2 * count / 200_000, " s")
    goal(f"{count:,} cases, memory", sizes[OURS], 40, " MiB")
    note(f"{timings[OURS].cpu_median / timings[ITERPARSE].cpu_median:.2f} x the processor time of {ITERPARSE}")
    note(f"{timings[OURS].cpu_median / timings[EXPAT].cpu_median:.2f} x the processor time of {EXPAT}")
    note(f"{sizes[TREE] / max(sizes[OURS], 0.1):.1f} x less memory than {TREE}, with all cases kept")


def main() -> None:
    """Parse the command line, write the report, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20,000 cases")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--grown", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.grown:
        grown(options.grown, options.file)
        return
    with tempfile.TemporaryDirectory(prefix="bw-bench-") as folder:
        measured(20_000 if options.quick else 200_000, options.rounds, Path(folder))


if __name__ == "__main__":
    main()
