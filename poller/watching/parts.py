"""Parts of a provider that cannot be read while others can: a repository, a job. Kept over a restart in a note."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from store import notes
from store.engine import Session

_NOTE = "parts of "


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Something on a provider that fails by itself.

    `failures` counts only polls after which something else on the provider could be read: while nothing answers it is
    the provider that fails.
    """

    name: str  # of the provider
    key: str  # of the target, or of the pipeline that cannot be read
    target: str  # key of the target that polls it
    failing_since: datetime
    failures: int
    trouble: str
    text: str


def recall(session: Session, provider: str) -> list[Part]:
    """The parts that were failing when this was written last."""
    note = notes.get(session, _NOTE + provider)
    return [_part(provider, each) for each in note.value] if note is not None else []


def remember(session: Session, provider: str, parts: Iterable[Part], now: datetime) -> None:
    """Write down the parts that fail now; costs a look when nothing has changed."""
    value = [
        {
            "key": each.key,
            "target": each.target,
            "failing_since": each.failing_since.isoformat(),
            "failures": each.failures,
            "trouble": each.trouble,
            "text": each.text,
        }
        for each in parts
    ]
    note = notes.get(session, _NOTE + provider)
    if value != (note.value if note is not None else []):
        notes.put(session, _NOTE + provider, value, now)


def forget(session: Session, configured: Iterable[str]) -> None:
    """Forget the parts of providers that config.yaml no longer has."""
    kept = {_NOTE + provider for provider in configured}
    gone = [key for key in notes.read(session, _NOTE) if key not in kept]
    if gone:
        notes.remove(session, gone)


def _part(provider: str, value: Mapping[str, object]) -> Part:
    return Part(
        name=provider,
        key=str(value["key"]),
        target=str(value["target"]),
        failing_since=datetime.fromisoformat(str(value["failing_since"])),
        failures=int(str(value["failures"])),
        trouble=str(value["trouble"]),
        text=str(value["text"]),
    )


def most_of(parts: Sequence[Part], *, targets: int, pipelines: int) -> bool:
    """Whether so much fails that it is the provider: more than half of its targets, or of the pipelines of one."""
    whole = sum(part.key == part.target for part in parts)
    return 2 * whole > max(targets, 2) or 2 * (len(parts) - whole) > max(pipelines, 2)
