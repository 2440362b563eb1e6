"""What several failures have in common: one bucket, one commit, one label value, one provider."""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.wording import short_commit
from domain.alert import AlertKind
from domain.waiting import Waiting

TWO = 2  # with one bucket or one commit
LABELLED = 3  # with one value of a label, and nothing else among them has another value
HOSTED = 5  # on one provider, and none of them is on another
_OF_ITS_OWN = frozenset({"code", "test"})
_HOLLOW = re.compile(
    r"(?i)\bexit(?:ed)?(?: with)?(?: code| status|:)? <?[n\d]|^script returned|^make(?:\[.{1,6}\])?: \*\*\*"
)
FAILS = frozenset({AlertKind.FAILURE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why some rows are told in one message. `text` ends a headline: `cloud aws`; `on` instead of it: `nsp`."""

    text: str | None = None
    on: str | None = None


def of_all(rows: Sequence[Waiting]) -> Cause:
    """What all of these share; an empty cause when that is nothing."""
    for find in (_buckets, _commits, _labels, _providers):
        for cause, members in find(rows):
            if len(members) == len(rows):
                return cause
    return Cause()


def largest(rows: Sequence[Waiting]) -> Sequence[Waiting]:
    """The rows with the strongest common cause: one bucket before one commit, a label, a provider; () without one."""
    for find in (_buckets, _commits, _labels, _providers):
        found = [members for _, members in find(rows)]
        if found:
            return max(found, key=len)
    return ()


def alike(about: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two alerts are one story already when there are only two of them: the same bucket or the same commit."""
    commit, bucket = about.get("commit"), _bucket(about)
    return (bool(commit) and commit == other.get("commit")) or (bool(bucket) and bucket == _bucket(other))


def _bucket(about: Mapping[str, Any]) -> Any:
    """The bucket, where pipelines may share such a cause: code and tests break each for itself, or by one commit.

    That a command has failed is no cause: a build that says nothing else has its own.
    """
    bucket, kind = about.get("bucket"), about.get("bucket_class")
    if kind in _OF_ITS_OWN or (kind is None and bucket and _HOLLOW.search(str(bucket))):
        return None
    return bucket


Found = Sequence[tuple[Cause, Sequence[Waiting]]]


def _buckets(rows: Sequence[Waiting]) -> Found:
    found = _by(rows, lambda row: _bucket(row.about))
    return [(Cause(text=str(bucket)), its) for bucket, its in found.items() if len(its) >= TWO]


def _commits(rows: Sequence[Waiting]) -> Found:
    failed = [row for row in rows if row.kind in FAILS]
    found = _by(failed, lambda row: row.about.get("commit"))
    return [
        (Cause(text=f"commit {short_commit(str(commit))}"), its) for commit, its in found.items() if len(its) >= TWO
    ]


def _labels(rows: Sequence[Waiting]) -> Found:
    keys = sorted({key for row in rows for key in _labels_of(row)})
    found: list[tuple[Cause, Sequence[Waiting]]] = []
    for key in keys:
        values = _by(rows, lambda row, key=key: _labels_of(row).get(key))  # type: ignore[misc]
        if len(values) == 1:
            ((value, its),) = values.items()
            found += [(Cause(text=f"{key} {value}"), its)] if len(its) >= LABELLED else []
    return found


def _providers(rows: Sequence[Waiting]) -> Found:
    values = _by(rows, lambda row: row.scope.provider)
    if len(values) == 1 and len(rows) >= HOSTED:
        return [(Cause(on=rows[0].scope.provider), rows)]
    return []


def _labels_of(row: Waiting) -> Mapping[str, Any]:
    labels = row.about.get("labels")
    return labels if isinstance(labels, Mapping) else {}


def _by(rows: Sequence[Waiting], key: Callable[[Waiting], Any]) -> dict[Hashable, list[Waiting]]:
    """The rows by what they have, in their order; those that have nothing are left out."""
    found: dict[Hashable, list[Waiting]] = {}
    for row in rows:
        value = key(row)
        if value:
            found.setdefault(value, []).append(row)
    return found
