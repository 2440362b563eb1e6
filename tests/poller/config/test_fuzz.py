"""Whatever stands in the file: a configuration, or problems that all have a place."""

import json
import string
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from poller.config import ConfigurationError, Problem, load
from tests.poller.config.test_loading import FROM_THE_CONTRACT
from tests.support.configurations import fake_plugins

BASE = FROM_THE_CONTRACT.replace("kind: jenkins", "kind: fake").replace("kind: github", "kind: other")
LINES = BASE.splitlines()
PIECES = st.sampled_from(
    [
        *("&x ", "*x", "<<: *x", "!!binary ", "!t ", "${", "${X}", "${file:/}", "- ", "? ", ": ", "[", "]", "{", "}"),
        *("|\n", ">-\n", "\t", "'", '"', "#", "%YAML 9\n", "---\n", "...\n", "off", "null", "~", "1e999", "0x", "-1"),
        *("9" * 20, "@", "`", "\x00", "\ud800", "\u2028", "\ufeff", "é", "🔴"),
        *("providers:", "alerts:", "failure:", "to:", "include: '*'", "nsp:"),
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "double", "insert", "indent", "cut", "swap"])):
            case "drop":
                lines[place] = ""
            case "double":
                lines.insert(place, lines[draw(st.integers(0, len(lines) - 1))])
            case "insert":
                column = draw(st.integers(0, len(lines[place])))
                text = draw(PIECES | st.text(string.printable, max_size=5))
                lines[place] = lines[place][:column] + text + lines[place][column:]
            case "indent":
                lines[place] = " " * draw(st.integers(0, 8)) + lines[place].lstrip()
            case "cut":
                lines[place] = lines[place][: draw(st.integers(0, len(lines[place])))]
            case _:
                other = draw(st.integers(0, len(lines) - 1))
                lines[place], lines[other] = lines[other], lines[place]
    return "\n".join(lines)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    "timezone",
    "day_starts_at",
    "store",
    "providers",
    "defaults",
    "pipelines",
    "channels",
    "alerts",
    "routes",
    "log",
]
KEYS += ["include", "web", "digests"]
INNER = st.sampled_from(
    ["ci", "kind", "url", "job", "provider", "labels", "to", "match", "failure", "after", "keep", "level"]
)


def outcome(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_bytes(content)
        found = problems(path)
        for problem in found:
            assert placed(problem, folder), problem


def problems(path: Path) -> tuple[Problem, ...]:
    try:
        return load(path, environ={"JENKINS_TOKEN": "x" * 8}, plugins=fake_plugins()).warnings
    except ConfigurationError as error:
        return error.problems or (Problem(file=Path("/"), line=0, column=0, message="an error without a problem"),)


def placed(problem: Problem, folder: str) -> bool:
    if str(problem.file.parent) != folder or not problem.message:
        return False
    lines = problem.file.read_text("utf-8", errors="replace").count("\n") + 1
    return 1 <= problem.line <= lines + 1 and problem.column >= 1


@settings(max_examples=120, deadline=None)
@given(mutated())
def test_a_mutated_file_gives_a_configuration_or_problems_with_places(text: str) -> None:
    outcome(text.encode("utf-8", "surrogatepass"))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES | st.dictionaries(INNER, VALUES, max_size=3), max_size=4))
def test_values_of_any_shape_give_a_configuration_or_problems_with_places(document: dict[str, object]) -> None:

    outcome(json.dumps(document).encode())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_give_a_configuration_or_problems_with_places(content: bytes) -> None:
    outcome(content)
