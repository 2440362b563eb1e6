"""Test cases counted, and kept as far as there is room."""

import re
from dataclasses import dataclass, field
from hashlib import blake2b
from math import isfinite

import regex

from domain.testreport import FAILING, TestCase, TestReport, TestStatus
from domain.text import clean

_MESSAGE_BYTES = 2048
_MESSAGE_BYTES_LATER = 256
_ALL_MESSAGES = 4 << 20  # bytes; from there on messages are cut sooner
_NAME = 500  # characters
_MOST_FAILING = 10_000  # that are kept beyond the others
_MOST_DURATIONS = 10_000  # that are remembered as they are written
_UNKNOWN = -1.0
_LONGEST_DURATION = 40  # characters
_TEN_YEARS = 10 * 366 * 86_400
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_CLOCK = re.compile(r"(?:(\d+)\.)?(\d+):(\d+):(\d+(?:\.\d+)?)")
_COLOURS = re.compile("[\x1b\ufffd]\\[[0-9;]*[A-Za-z]")
# What `clean` would change; it looks at each character, which takes too long for all messages.
_HARMFUL = regex.compile(r"[[\p{C}\p{Zl}\p{Zp}]--[\n\t]]|[\p{Mn}\p{Me}]{9}", regex.V1)


def seconds(text: str | None) -> float | None:
    """A duration as tools write it: `1.5`, `1,234.56`, `0,5`, `0.2s`, `00:00:01.5`. None: nonsense."""
    if not text or len(text) > _LONGEST_DURATION:
        return None
    try:
        found = float(text)
    except ValueError:
        found = _odd_seconds(text.strip().removesuffix("s"))
    return found if isfinite(found) and 0 <= found < _TEN_YEARS else None


def _odd_seconds(text: str) -> float:
    clock = _CLOCK.fullmatch(text)
    if clock:
        days, hours, minutes, rest = clock.groups("0")
        return ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + float(rest)
    text = text.replace(",", "") if _THOUSANDS.fullmatch(text) else text.replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _cut_name(name: str) -> str:
    """Long names stay different: data of a parametrised test often differs at its end."""
    if len(name) <= _NAME:
        return clean(name, _NAME)
    return f"{clean(name[:_NAME], _NAME)} {blake2b(name.encode(errors='replace'), digest_size=4).hexdigest()}"


def _cut_message(message: str, size: int) -> str | None:
    message = _COLOURS.sub("", message[: 2 * size]).replace("\r\n", "\n").strip()
    if _HARMFUL.search(message):
        message = clean(message, size, lines=True)
    data = message.encode(errors="replace")
    if len(data) > size:
        message = data[: size - 3].decode(errors="ignore") + "…"
    return message or None


@dataclass(slots=True)
class Tally:
    """Counts cases as they come. At most `room` are kept, and the first thousands of failing ones beyond."""

    room: int
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    _cases: list[TestCase] = field(default_factory=list)
    _suites: dict[str, str] = field(default_factory=dict)
    _seconds: dict[str | None, float | None] = field(default_factory=dict)
    _messages: int = 0  # bytes

    def add(
        self,
        suite: str,
        name: str,
        status: TestStatus,
        time: str | None = None,
        message: str | None = None,
        *,
        flaky: bool = False,
    ) -> None:
        """One case. Names and message come as they were written."""
        if status is TestStatus.PASSED:
            self.passed += 1
        elif status is TestStatus.SKIPPED:
            self.skipped += 1
        else:
            self.failed += 1
        if len(self._cases) >= self.room and (status not in FAILING or len(self._cases) >= self.room + _MOST_FAILING):
            return
        known = self._suites.get(suite)
        if known is None:
            known = self._suites[suite] = _cut_name(suite)
        duration = self._seconds.get(time, _UNKNOWN)
        if duration is _UNKNOWN:
            duration = self._duration(time)
        if len(name) > _NAME or (not name.isascii() and _HARMFUL.search(name)) or not name.isprintable():
            name = _cut_name(name)
        self._cases.append(
            TestCase(
                suite=known,
                name=name or "(?)",  # as Jenkins calls it
                status=status,
                duration=duration,
                message=self._message(message) if message else None,
                flaky=flaky,
            )
        )

    def _duration(self, time: str | None) -> float | None:
        found = seconds(time)
        if len(self._seconds) < _MOST_DURATIONS:
            self._seconds[time] = found
        return found

    def _message(self, text: str) -> str | None:
        message = _cut_message(text, _MESSAGE_BYTES if self._messages < _ALL_MESSAGES else _MESSAGE_BYTES_LATER)
        self._messages += len(message or "")
        return message

    @property
    def total(self) -> int:
        """All cases so far."""
        return self.passed + self.failed + self.skipped

    def report(self) -> TestReport:
        """What was counted."""
        kept = len(self._cases)
        return TestReport(
            passed=self.passed,
            failed=self.failed,
            skipped=self.skipped,
            cases=tuple(self._cases),
            notes=() if kept == self.total else (f"only {kept:,} of {self.total:,} cases are kept",),
        )
