"""Prometheus' text format, version 0.0.4, which every Prometheus reads.

Written here because a scrape of a thousand pipelines has ten thousand lines: the client library, made for programs
that count, takes ten times as long over them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Sample(NamedTuple):
    """One line; `labels` as `labels_of` writes them, the value finite."""

    labels: str
    value: float


@dataclass(frozen=True, slots=True)
class Family:
    """What has one name. A counter's ends in `_total`."""

    name: str
    help: str  # one line
    samples: Iterable[Sample]
    kind: Literal["gauge", "counter"] = "gauge"


def labels_of(**labels: str) -> str:
    """Names and texts as they stand between the braces. The texts may be anything that is text."""
    return ",".join([f'{name}="{_escaped(text)}"' for name, text in labels.items()])


def exposed(families: Iterable[Family]) -> str:
    """The document. A family without samples is named all the same."""
    lines: list[str] = []
    for each in families:
        name = each.name
        lines += (f"# HELP {name} {each.help}\n", f"# TYPE {name} {each.kind}\n")
        lines += [f"{name}{{{labels}}} {value}\n" if labels else f"{name} {value}\n" for labels, value in each.samples]
    return "".join(lines)


def _escaped(text: str) -> str:
    if "\\" in text or '"' in text or "\n" in text:
        return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return text
