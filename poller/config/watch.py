"""Tells when a file of the configuration has changed. Has no thread: somebody asks, twice a second or so."""

import hashlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from poller.config.files import matching

_SETTLED = 0.2  # seconds of rest after which a file is taken as written to its end


class _Seen(NamedTuple):
    """What stat says about a file; None for one that is not there."""

    modified: int
    inode: int
    size: int


class Watcher:
    """Watches files by what stat says, then by content.

    An editor that renames, a file that is truncated and written in two halves, and a symlink that is swapped
    (Kubernetes) all show as one change, when the new content has been the same for 200 ms. A file that was touched
    without another content shows no change.

    Args:
        paths: the files: config.yaml, its includes and its secret files.
        include: globs of `include:`, relative to the folder of the first path; their files may come and go.
        monotonic: the clock, in seconds.
    """

    def __init__(
        self,
        paths: Iterable[Path],
        *,
        include: Iterable[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths = tuple(paths)
        self._folder = [path.parent for path in self._paths[:1]]
        self._include = tuple(include)
        self._monotonic = monotonic
        self._reported = self._contents()
        self._state = self._states()
        self._pending: str | None = None
        self._since = 0.0

    def changed(self) -> bool:
        """Whether there is settled new content that was not reported before. True once for each change."""
        state = self._states()
        if state == self._state and self._pending is None:
            return False
        contents = self._contents()
        now = self._monotonic()
        if state != self._state or contents != self._pending:
            self._state, self._pending, self._since = state, contents, now
            return False
        if now - self._since < _SETTLED:
            return False
        self._pending = None
        if contents == self._reported:
            return False
        self._reported = contents
        return True

    def _all(self) -> list[Path]:
        found = [
            folder / name for folder in self._folder for pattern in self._include for name in matching(pattern, folder)
        ]
        return list(dict.fromkeys([*self._paths, *found]))

    def _states(self) -> dict[Path, _Seen | None]:
        return {path: _seen(path) for path in self._all()}

    def _contents(self) -> str:
        contents = hashlib.sha256()
        for path in self._all():
            try:
                content: bytes | None = path.read_bytes()
            except OSError:
                content = None
            contents.update(f"{path}\0{-1 if content is None else len(content)}\0".encode(errors="surrogateescape"))
            contents.update(content or b"")
        return contents.hexdigest()


def _seen(path: Path) -> _Seen | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return _Seen(found.st_mtime_ns, found.st_ino, found.st_size)
