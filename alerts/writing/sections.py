"""The tables of a card: which tests fail, and what changed since it was well."""

from collections.abc import Iterator

from alerts.wording import plural
from alerts.writing.case import Case
from alerts.writing.suspects import suspects
from domain.build import Build
from domain.message import Cell, Table, Tone
from domain.testreport import TestCase, TestStatus

MOST_TESTS = 5
MOST_ERRORS = 3

_FAILED = frozenset({TestStatus.FAILED, TestStatus.ERROR})


def sections(case: Case) -> tuple[Table, ...]:
    """What is known, while it is wrong; nothing once it is over."""
    if case.over or case.told is None:
        return ()
    return (*_tests(case, case.told), *_suspects(case))


def _tests(case: Case, build: Build) -> Iterator[Table]:
    """New ones first: they are the news."""
    failed = [each for each in build.tests.cases if each.status in _FAILED] if build.tests is not None else []
    if build.tests is None or not failed:
        return
    before = case.background.failing_before
    is_new = {each: before is not None and (each.suite, each.name) not in before for each in failed}
    failed.sort(key=lambda each: not is_new[each])
    new, total = sum(is_new.values()), max(build.tests.failing_tests, len(failed))
    title = plural(total, "failing test")
    yield Table(
        title=title if before is None else f"{title}, {new} of them new",
        rows=tuple(_test(each, new=is_new[each], known=before is not None) for each in failed[:MOST_TESTS]),
        more=total - min(len(failed), MOST_TESTS),
    )
    errors = case.background.errors
    if len(failed) > MOST_TESTS and errors and errors[0][1] > 1:
        yield Table(
            title="What they fail with",
            rows=tuple((Cell(text=f"{count}x"), Cell(text=error)) for error, count in errors[:MOST_ERRORS]),
            more=max(len(errors) - MOST_ERRORS, 0),
        )


def _test(failed: TestCase, *, new: bool, known: bool) -> tuple[Cell, ...]:
    name = Cell(text=f"{failed.suite}: {failed.name}" if failed.suite else failed.name)
    if not known:
        return (name,)
    return (name, Cell(text="new", tone=Tone.BROKEN) if new else Cell(text="still", tone=Tone.WORSE))


def _suspects(case: Case) -> Iterator[Table]:
    changes = case.background.changes
    table = suspects(changes, case.number("last_passed"), case.background.mentions) if changes is not None else None
    if table is not None:
        yield table
