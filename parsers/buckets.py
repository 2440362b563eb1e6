"""From the logs of a build to why it failed: the bucket, and the lines that say so."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain.details import Log
from parsers.causes import SLACK, Cause, causes
from parsers.excerpts import Excerpt, excerpt
from parsers.logs import joined, lines_of
from parsers.rules import Bucket, BucketRule, Place
from parsers.secrets import redacted
from parsers.signatures import signature
from parsers.weights import SURE, SYMPTOM, bare

_MOST_LOGS = 8
_TIME_LIMIT = 0.05  # seconds that one expression may take with one log
_MOST_MATCHES = 200
_NEAR = 15  # lines: what stands further from the cause needs to be surer


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a build failed, as far as its logs tell."""

    bucket: Bucket | None
    excerpt: Excerpt | None
    notes: tuple[str, ...] = ()  # rules that took too long


@dataclass(slots=True)
class _Reading:
    """One log, read."""

    log: Log
    lines: list[str]
    causes: list[Cause] = field(default_factory=list)

    @property
    def weight(self) -> float:
        return self.causes[0].weight if self.causes else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hit:
    """A bucket, and where it was found: None for what no log says."""

    bucket: Bucket
    reading: _Reading | None = None
    index: int | None = None


def explain(
    rules: Sequence[BucketRule],
    *,
    provider: str,
    job: str,
    stage: str | None,
    logs: Sequence[Log],
    reason: str | None = None,
    signatures: bool = True,
) -> Explanation:
    """The bucket of a failed build and the excerpt around its cause.

    Args:
        rules: in their order; the first one that matches wins.
        provider: the name of the connection.
        job: the pipeline's key.
        stage: what failed, in words.
        logs: of what failed first, first; each at most a megabyte.
        reason: the provider's own words.
        signatures: whether a failure that no rule knows gets a bucket of its own; not for builds that passed.
    """
    readings = [_read(log) for log in logs[:_MOST_LOGS]]
    main = _first_of_best(readings)
    notes: list[str] = []
    words = {Place.REASON: reason, Place.STAGE: stage}
    relevant = [rule for rule in rules if rule.is_about(provider=provider, job=job, stage=stage)]
    hit = _by_own_rules(relevant, readings, words, notes) or _by_lines(relevant, main, reason)
    if hit is None and signatures:
        hit = _by_signature(main, reason)
    reading, index = (hit.reading, hit.index) if hit and hit.reading else (main, None)
    if index is None and reading is not None and reading.causes:
        index = reading.causes[0].index
    shown = excerpt(reading.lines, index, log=reading.log.name) if reading else None
    return Explanation(bucket=_clean(hit.bucket) if hit else None, excerpt=shown, notes=tuple(notes))


def classify(
    rules: Sequence[BucketRule],
    *,
    provider: str,
    job: str,
    stage: str | None,
    logs: Sequence[Log],
    reason: str | None = None,
) -> Bucket | None:
    """The bucket that a rule gives, for builds that failed and for builds that passed; no signatures."""
    found = explain(rules, provider=provider, job=job, stage=stage, logs=logs, reason=reason, signatures=False)
    return found.bucket


def _first_of_best(readings: Sequence[_Reading]) -> _Reading | None:
    """The log of what failed first, unless a later one says more surely why."""
    best = max((one.weight for one in readings), default=0)
    return next((one for one in readings if one.weight >= best - SLACK), None)


def _read(log: Log) -> _Reading:
    lines = lines_of(log)
    return _Reading(log=log, lines=lines, causes=causes(lines))


def _by_own_rules(
    rules: Iterable[BucketRule], readings: Sequence[_Reading], words: Mapping[Place, str | None], notes: list[str]
) -> _Hit | None:
    """The first rule of the file that matches anywhere, at the place that is nearest to the cause."""
    texts = [(one, joined(one.lines)) for one in sorted(readings, key=lambda one: -one.weight)]
    for rule in rules:
        if rule.sureness is not None:
            continue
        try:
            hit = _hit_of(rule, texts, words)
        except TimeoutError:
            notes.append(f'bucket rule "{rule.name}": its regex took longer than {_TIME_LIMIT * 1000:.0f} ms')
            continue
        if hit is not None:
            return hit
    return None


def _hit_of(rule: BucketRule, texts: Sequence[tuple[_Reading, str]], words: Mapping[Place, str | None]) -> _Hit | None:
    if Place.LOG in rule.where:
        for reading, text in texts:
            near = reading.causes[0].index if reading.causes else len(reading.lines)
            found = _nearest(rule, text, near)
            if found is not None:
                return _Hit(bucket=found[0], reading=reading, index=found[1])
    for place, said in words.items():
        found = _nearest(rule, said, 0) if place in rule.where and said else None
        if found is not None:
            return _Hit(bucket=found[0])
    return None


def _nearest(rule: BucketRule, text: str, near: int) -> tuple[Bucket, int] | None:
    """The match whose line is nearest to a line, and that line. Raises TimeoutError."""
    low = text.lower() if rule.contains else ""
    if rule.contains and not any(word in low for word in rule.contains):
        return None
    if rule.regex is None:
        with_word = [n for n, line in enumerate(low.split("\n")) if any(word in line for word in rule.contains)]
        return rule.bucket({}), min(with_word, key=lambda one: abs(one - near), default=0)
    best: tuple[int, Bucket, int] | None = None
    index, counted = 0, 0
    for count, match in enumerate(rule.regex.finditer(text, timeout=_TIME_LIMIT)):
        index, counted = index + text.count("\n", counted, match.start()), match.start()
        if best is None or abs(index - near) < best[0]:
            best = (abs(index - near), rule.bucket(match.groupdict()), index)
        if count >= _MOST_MATCHES or index >= near:
            break
    return None if best is None else best[1:]


def _by_lines(rules: Iterable[BucketRule], main: _Reading | None, reason: str | None) -> _Hit | None:
    """What the built-in rules say of the cause, or of the provider's words, or of what stands near the cause."""
    known = [rule for rule in rules if rule.sureness is not None]
    in_words = _of_line(known, reason.split("\n")[0]) if reason else None
    found = _near_cause(known, main) if main else None
    if in_words is not None and (found is None or in_words[0] > found[0]):
        return _Hit(bucket=in_words[1])
    return found[1] if found else None


def _near_cause(known: Sequence[BucketRule], main: _Reading) -> tuple[float, _Hit] | None:
    if not main.causes:
        return None
    first = main.causes[0]
    for cause in main.causes:
        near = abs(cause.index - first.index) <= _NEAR
        if cause is not first and (cause.weight < SURE if not near else cause.weight <= SYMPTOM):
            continue
        said = _of_line(known, main.lines[cause.index])
        if said is not None:
            return cause.weight, _Hit(bucket=said[1], reading=main, index=first.index if near else cause.index)
    return None


def _of_line(known: Iterable[BucketRule], line: str) -> tuple[float, Bucket] | None:
    plain = bare(line)
    low = plain.casefold()
    for rule in known:
        if rule.regex is not None and any(word in low for word in rule.contains):
            match = rule.regex.search(plain, timeout=1)
            if match is not None:
                return rule.sureness or 0, rule.bucket(match.groupdict())
    return None


def _by_signature(main: _Reading | None, reason: str | None) -> _Hit | None:
    """A failure that nobody knows is called by its first error line; by a mere `exit code 1` only for want of words."""
    line = main.lines[main.causes[0].index] if main and main.causes else None
    lines = [line, reason] if main and main.weight > SYMPTOM else [reason, line]
    for one in lines:
        name = signature(redacted(bare(one))) if one else None
        if name is not None:
            return _Hit(bucket=Bucket(reason=name))
    return None


def _clean(bucket: Bucket) -> Bucket:
    return replace(bucket, detail=redacted(bucket.detail)) if bucket.detail else bucket
