"""The files that a build left: test reports, figures and labels in them, and whether those are there that must be.

A file that is broken, hostile or too large is noted, and nothing else happens because of it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from domain.build import Build
from domain.details import Artifact
from domain.globs import matches
from domain.testhistory import Gap
from domain.testreport import TestReport
from parsers.archives import ArchiveLimits, members
from parsers.labels import read_labels
from parsers.numbers import read_figures
from parsers.unreadable import NotAReport, Unreadable
from poller.config.explained import Reports
from providers._base import Refused, TellsDetails

MOST_FILES = 2000  # of one build that are read
MOST_BYTES = 128 << 20  # of one build


@dataclass(slots=True, kw_only=True)
class Files:
    """What the files of a build told."""

    reports: list[TestReport] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    present: set[str] = field(default_factory=set)  # globs of `require` of which a file is there
    broken: dict[str, Gap] = field(default_factory=dict)  # by the glob of `require` that the file is asked for by
    whole: bool = True  # all files have been looked at: what was not found is not there
    later: bool = False  # they could not be read just now, and may be in a while

    @property
    def report(self) -> TestReport | None:
        """All reports as one; of reports that were not all read nothing can be said."""
        if not (self.reports and self.whole):
            return None
        from parsers.junit import merged  # noqa: PLC0415  (XML parsers: 3 MiB that many never need)

        return merged(self.reports)

    def gaps(self, reports: Reports) -> tuple[Gap, ...]:
        """What `require` asks for and is not there, or cannot be read."""
        globs = [each.artifact for each in reports.require]
        missing = [Gap(artifact=glob, reason=None) for glob in globs if self.whole and glob not in self.present]
        return (*missing, *self.broken.values())


def read_files(
    provider: TellsDetails, build: Build, reports: Reports, *, limit: int, deadline: Callable[[], bool]
) -> Files:
    """Read all that is asked for, file by file. Raises what `TellsDetails.artifacts` raises, and Unavailable."""
    reading = _Reading(provider=provider, build=build, reports=reports, limit=limit)
    artifacts = provider.artifacts(build)
    for count, artifact in enumerate(artifacts):
        if deadline() or reading.files >= MOST_FILES or reading.left <= 0:
            reading.found.whole = False
            reading.found.notes.append(f"{len(artifacts) - count} of {len(artifacts)} files were not looked at")
            break
        reading.look_at(artifact)
    return reading.found


@dataclass(slots=True, kw_only=True)
class _Reading:
    """Goes through the files of one build."""

    provider: TellsDetails
    build: Build
    reports: Reports
    limit: int  # bytes of one file
    left: int = MOST_BYTES
    files: int = 0  # that were read
    found: Files = field(default_factory=Files)

    def look_at(self, artifact: Artifact) -> None:
        """Read an artifact if anything may be in it."""
        for glob in self._required(artifact.name):
            self.found.present.add(glob)
        if artifact.archive:
            if self._may_hold_something(artifact.name) and (data := self._fetch(artifact)) is not None:
                self._open(artifact.name, data)
        elif self._is_wanted(artifact.name) and (data := self._fetch(artifact)) is not None:
            self._use(artifact.name, data, self._parsers(None))

    def _required(self, name: str) -> list[str]:
        return [each.artifact for each in self.reports.require if matches(each.artifact, name)]

    def _parsers(self, archive: str | None) -> list[str]:
        """The globs of reports that may be in an archive, or that are files themselves."""
        return [
            each.junit
            for each in self.reports.parsers
            if each.artifact is None or archive is None or matches(each.artifact, archive)
        ]

    def _others(self) -> Iterator[str]:
        yield from (each.artifact for each in self.reports.measurements)
        yield from (each.artifact for each in self.reports.labels if each.artifact is not None)

    def _may_hold_something(self, archive: str) -> bool:
        missing = any(each.artifact not in self.found.present for each in self.reports.require)
        return missing or bool(self._parsers(archive)) or any(True for _ in self._others())

    def _is_wanted(self, name: str) -> bool:
        return any(matches(glob, name) for glob in (*self._parsers(None), *self._others()))

    def _fetch(self, artifact: Artifact) -> bytes | None:
        """The content; None when it cannot be read, which is noted."""
        if artifact.size is not None and artifact.size > self.limit:
            self._note(artifact.name, f"{artifact.size >> 10} KiB are more than details.artifact_bytes allows")
            return None
        try:
            data = self.provider.read_artifact(self.build, artifact, self.limit)
        except Refused as error:
            self._note(artifact.name, str(error))
            return None
        self.files += 1
        self.left -= len(data)
        return data

    def _note(self, name: str, reason: str, *, archive: str | None = None) -> None:
        """A file cannot be read."""
        where = f"{archive}: {name}" if archive is not None else name
        self.found.notes.append(reason if reason.startswith(where) else f"{where}: {reason}")
        for glob in (*self._required(name), *(self._required(archive) if archive is not None else ())):
            self.found.broken.setdefault(glob, Gap(artifact=where, reason=reason))

    def _open(self, archive: str, data: bytes) -> None:
        """Read what is wanted of the members of an archive, never of more than all files may take."""
        limits = ArchiveLimits(total_bytes=max(self.left * 4, 1))
        parsers = self._parsers(archive)
        wanted = list(dict.fromkeys((*parsers, *self._others())))
        missing = [each.artifact for each in self.reports.require if each.artifact not in self.found.present]
        seen: set[str] = set()
        try:
            for glob in (*wanted, *missing):
                for member in members(data, glob, limits=limits):
                    self.found.present.update(self._required(member.name))
                    if member.problem is not None:
                        self._note(member.name, member.problem, archive=archive)
                    elif glob in wanted and member.name not in seen:
                        seen.add(member.name)
                        self._use(member.name, member.data, parsers, archive=archive)
                    if glob not in wanted:
                        break  # that it is there is all that is asked
        except Unreadable as error:
            self._note(archive, str(error))

    def _use(self, name: str, data: bytes, parsers: Sequence[str], *, archive: str | None = None) -> None:
        """Read one file in every way that is asked for."""
        self.found.present.update(self._required(name))
        if any(matches(glob, name) for glob in parsers):
            self._report(name, data, archive)
        for each in self.reports.measurements:
            if matches(each.artifact, name):
                figures = read_figures(data, each.numbers)
                self.found.figures |= figures.numbers
                self.found.notes += [f"{name}: {note}" for note in figures.notes]
        for source in self.reports.labels:
            if source.artifact is not None and source.path is not None and matches(source.artifact, name):
                labels = read_labels(data, {source.name: source.path})
                self.found.labels |= {
                    label: taken for label, value in labels.labels.items() if (taken := source.taken(value))
                }
                self.found.notes += [f"{name}: {note}" for note in labels.notes]

    def _report(self, name: str, data: bytes, archive: str | None) -> None:
        from parsers.junit import read_report  # noqa: PLC0415

        try:
            self.found.reports.append(read_report(data, name=name))
        except NotAReport as error:
            self.found.notes.append(str(error))
        except Unreadable as error:
            self._note(name, str(error), archive=archive)
