"""Commands as people type them, run in this process or in one of its own."""

import gc
import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from poller.cli import main

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of a command."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


class Commands:
    """Runs commands with one config.yaml."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self.config = config

    def __call__(self, *words: str, config: bool = True) -> Ran:
        """Run one here."""
        given = ["--config", str(self.config)] if config else []
        self._monkeypatch.setattr(sys, "argv", ["buildwatch", words[0], *given, *words[1:]])
        self._capsys.readouterr()
        root = logging.getLogger()
        handlers, level, threshold = root.handlers[:], root.level, gc.get_threshold()
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        finally:
            root.handlers[:], root.level = handlers, level
            logging.captureWarnings(capture=False)
            gc.set_threshold(*threshold)
        out, err = self._capsys.readouterr()
        return Ran(status=status, out=out, err=err)


def bare_environment() -> dict[str, str]:
    """Nothing that a command could take for its own, but what lets coverage be measured in it."""
    measuring = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **measuring}


def in_process_of_its_own(
    *words: str, folder: Path, environ: Mapping[str, str] | None = None, given: str | None = None
) -> Ran:
    """Run one as a shell does; `given` is what is typed."""
    done = subprocess.run(
        [sys.executable, "-c", "from poller.cli import main; main()", *words],
        cwd=folder,
        env={**bare_environment(), **(environ or {})},
        input=given,
        stdin=None if given is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(status=done.returncode, out=done.stdout, err=done.stderr)
