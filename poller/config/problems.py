"""What is wrong with a configuration, each with the place where it stands."""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from typing_extensions import override

KeyPath = tuple[str | int, ...]
"""Where a value stands in the document: `("pipelines", 2, "job")`."""

_SHOWN_CHOICES = 12


class Mark(NamedTuple):
    """A place in a file; lines and columns count from 1."""

    file: Path
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One error or warning. Renders as `config.yaml:12:5: message`; never holds the value of a secret."""

    file: Path
    line: int
    column: int
    path: str = ""  # `pipelines[2].job`; empty for the whole file
    message: str

    @classmethod
    def at(cls, mark: Mark, path: KeyPath, message: str) -> "Problem":
        """A problem at a known place."""
        return cls(file=mark.file, line=mark.line, column=mark.column, path=shown_path(path), message=message)

    @override
    def __str__(self) -> str:
        return f"{self.file.name}:{self.line}:{self.column}: {self.message}"


class ConfigurationError(Exception):
    """The configuration cannot be used. `problems` holds everything that was found, in the order of the file.

    `files` are the files that were read, or should have been: a change of one of them may be the cure.
    """

    def __init__(self, problems: Iterable[Problem], files: Iterable[Path] = ()) -> None:
        self.files = tuple(files)
        self.problems = in_order(problems, self.files)
        super().__init__("\n".join(map(str, self.problems)))


def in_order(problems: Iterable[Problem], files: Iterable[Path] = ()) -> tuple[Problem, ...]:
    """Without repetitions, sorted by place; the files in their given order, others as they are first met."""
    unique = list(dict.fromkeys(problems))
    rank = {file: place for place, file in enumerate(files)}
    for problem in unique:
        rank.setdefault(problem.file, len(rank))
    return tuple(sorted(unique, key=lambda problem: (rank[problem.file], problem.line, problem.column)))


def shown_path(path: KeyPath) -> str:
    """`("pipelines", 2, "job")` → `pipelines[2].job`."""
    shown = ""
    for part in path:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}" if shown else part
    return shown


def did_you_mean(word: str, known: Collection[str]) -> str:
    """`, did you mean "poll_every"?`, or the list of what is known when nothing is near."""
    folded = {name.casefold(): name for name in sorted(known, reverse=True)}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6) or _containing(word.casefold(), folded)
    if near:
        return f', did you mean "{folded[near[0]]}"?'
    if not known:
        return ""
    shown = sorted(known)[:_SHOWN_CHOICES]
    more = ", ..." if len(known) > _SHOWN_CHOICES else ""
    return f"; known here: {', '.join(shown)}{more}"


def _containing(word: str, known: Iterable[str]) -> list[str]:
    """`evry` is nearer to one part of `poll_every` than to the whole."""
    for name in known:
        if difflib.get_close_matches(word, name.replace("-", "_").split("_"), n=1, cutoff=0.75):
            return [name]
    return []
