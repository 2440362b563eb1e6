"""What a silence covers, and when it is over."""

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from alerts.policies.routing import Match, Subject
from alerts.wording import moment
from domain.alert import Alert, Scope
from domain.silence import Silence

_GLOB_SIGNS = re.compile(r"[*?\[]")

EVERY_PROVIDER = "*"
"""The provider in the scope of an alert about a label value; its branch is then `cloud=aws`."""


def covers(silence: Silence, subject: Subject) -> bool:
    """Whether a silence is about a subject; whether it holds is another question."""
    return Match(**silence.match).obstacle(subject) is None


def holds(silence: Silence, now: datetime) -> bool:
    """Whether it has not been ended and its time has not come."""
    return silence.ended_at is None and (silence.ends.at is None or now < silence.ends.at)


def broken_by(silence: Silence, subject: Subject, *, update: bool = False) -> str | None:
    """Why what a silence covers is told all the same, and ends it: something else is wrong. None when it is not.

    `update` says that the alert itself has found something new since it fired.
    """
    if not silence.ends.new_bucket:
        return None
    known, bucket = silence.ends.buckets, subject.bucket
    if bucket is not None and known and bucket not in known:
        return f"a new cause: {bucket}"
    return "a new cause or new failing tests" if update else None


def about(alert: Alert) -> dict[str, Any]:
    """The conditions that only alerts of the same kind about the same thing meet."""
    scope = alert.scope
    if labels := labels_of(scope):
        named = {name: _exactly(value) for name, value in labels.items()}
        return {"provider": scope.provider, "labels": named, "kind": str(alert.kind)}
    names = {"pipeline": scope.pipeline, "branch": scope.branch or None}
    return {
        "provider": scope.provider,
        **{key: _exactly(value) for key, value in names.items() if value is not None},
        "kind": str(alert.kind),
    }


def labels_of(scope: Scope) -> Mapping[str, str]:
    """The label value that an alert of no single pipeline is about; none for any other."""
    if scope.provider != EVERY_PROVIDER or scope.pipeline is not None or "=" not in (scope.branch or ""):
        return {}
    name, _, value = (scope.branch or "").partition("=")
    return {name: value}


def conditions(silence: Silence) -> str:
    """`pipeline web/*, branch main, label cloud aws`: what it covers, in words."""
    words = [f"{name} {value}" for name, value in silence.match.items() if name != "labels"]
    words += [f"label {name} {value}" for name, value in silence.match.get("labels", {}).items()]
    return ", ".join(words) or "everything"


def until(silence: Silence, zone: tzinfo) -> str:
    """`until 2026-11-21 16:00 UTC, or until it is fixed`: when it ends, in words."""
    ends = silence.ends
    found = [
        moment(ends.at, zone) if ends.at is not None else None,
        "it is fixed" if ends.fixed else None,
        f"build {ends.build} has passed or failed" if ends.build is not None else None,
        "something else is wrong" if ends.new_bucket else None,
    ]
    return ", or ".join(f"until {each}" for each in found if each is not None)


def _exactly(text: str) -> str:
    """The pattern that matches this text only."""
    return _GLOB_SIGNS.sub(lambda sign: f"[{sign[0]}]", text)
