"""Builds that nobody fetches: whoever makes them sends them to the web server. There is nothing to poll here.

Who pushes names the pipeline, and its key is that name. With `web:` in config.yaml and no provider of this kind, there
is one called `push` that takes everything.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar, Literal

from typing_extensions import override

from domain.build import Build
from domain.globs import matches
from domain.text import clean
from providers._base import (
    Candidate,
    Cursor,
    Page,
    PipelineEntry,
    Probe,
    ProviderPlugin,
    ProviderSettings,
    Target,
)
from providers._labels import ARTIFACT, BUILT_ON, PARAMETER, Told, labels_of


class PushSettings(ProviderSettings):
    """`kind: push` under `providers:`. It has no server, and so no settings of its own."""

    kind: Literal["push"]

    polled: ClassVar[bool] = False


class PushEntry(PipelineEntry):
    """An entry of `pipelines:` for builds that are pushed."""

    cannot_tell: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys((PARAMETER, BUILT_ON, "description", ARTIFACT), "a pushed build has none: send `labels` with it")
    )

    key: str = "**"  # glob over the names that builds are pushed under

    @override
    def matches(self, key: str) -> bool:
        """`regression/blr-cloud4` is watched by `key: regression/*`."""
        return matches(self.key, key)


class Push:
    """What comes by itself. It is never unreachable, because nobody tries to reach it."""

    def __init__(self, name: str, settings: PushSettings, entries: Sequence[PushEntry]) -> None:
        self.name = name
        self._settings = settings
        self._entries = entries

    def received(self, build: Build) -> Build | None:
        """With the name and the labels of the first entry that takes its pipeline; None when there is none."""
        pipeline = build.pipeline
        entry = next((entry for entry in self._entries if entry.matches(pipeline.key)), None)
        if entry is None:
            return None
        named = entry.name if entry.name and entry.key == pipeline.key else pipeline.name
        dressed = replace(pipeline, provider=self.name, name=clean(named), labels=entry.labels)
        told = Told(
            job_name=pipeline.key, title=build.title, branch=build.branch, trigger=build.trigger, actor=build.actor
        )
        return replace(build, pipeline=dressed, labels={**labels_of(entry.sources, told), **build.labels})

    def targets(self) -> Sequence[Target]:
        """Nothing is polled."""
        return ()

    def poll(self, target: Target, cursors: Mapping[str, Cursor], now: datetime) -> Iterator[Page]:  # noqa: ARG002
        """Nothing."""
        return iter(())

    def backfill(
        self,
        target: Target,  # noqa: ARG002
        keys: Sequence[str],  # noqa: ARG002
        since: datetime,  # noqa: ARG002
        cursor: Cursor,  # noqa: ARG002
        now: datetime,  # noqa: ARG002
    ) -> Iterator[Page]:
        """Nothing: history is pushed as everything else."""
        return iter(())

    def discover(self) -> Iterator[Candidate]:
        """Nothing: a pipeline is known when its first build comes."""
        return iter(())

    def probe(self) -> Probe:
        """That there is nothing to reach."""
        return Probe()

    def close(self) -> None:
        """Nothing is open."""


PLUGIN = ProviderPlugin(settings=PushSettings, entry=PushEntry, provider=Push)
