"""Labels in JSON files that builds leave behind: `labels_from: {cloud: {artifact: facts.json, path: cloud.name}}`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.text import NAME_LIMIT, clean
from parsers.documents import read_json, steps, values_at


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLabels:
    """What a file tells; `notes` say what it does not, and why."""

    labels: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_labels(data: bytes, wanted: Mapping[str, str]) -> FoundLabels:
    """Labels in a JSON file. Never raises.

    Args:
        data: The file, at most 8 MiB.
        wanted: The name of each label, and where its value stands: a text, a number or a truth value.
    """
    try:
        document = read_json(data)
    except ValueError as error:
        return FoundLabels(notes=(str(error),))
    labels: dict[str, str] = {}
    notes: list[str] = []
    for name, path in wanted.items():
        try:
            found = values_at(document, steps(path))
        except ValueError as error:
            notes.append(f"{name}: {error}")
            continue
        text = _text(found[0]) if found else None
        if text:
            labels[name] = text
        else:
            notes.append(f"{name}: {'no text' if found else 'nothing'} stands at {clean(path)}")
    return FoundLabels(labels=labels, notes=tuple(notes))


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean(str(value).strip(), NAME_LIMIT) or None if isinstance(value, str | int | float) else None
