"""The daemon as a process of its own, with an ear for what it tells systemd."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 30.0


class DaemonProcess:
    """`buildwatch run` in a subprocess; killed at the end if it still lives."""

    def __init__(
        self,
        config: Path,
        environ: Mapping[str, str] | None = None,
        *arguments: str,
        measured: bool = True,
        command: str = "run",
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        address = f"{self._folder.name}/notify"
        self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ear.bind(address)
        self._ear.settimeout(0.1)
        self.heard: list[str] = []
        self._log = Path(self._folder.name, "log").open("wb")  # noqa: SIM115  (closed in __exit__)
        # Whoever is killed reports no coverage, and starts twice as fast without measuring it.
        inherited = {name: value for name, value in os.environ.items() if measured or not name.startswith("COVERAGE_")}
        variables = {**inherited, "NOTIFY_SOCKET": address, **(environ or {})}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "poller", command, "--config", str(config), *arguments],
            env=variables,
            stderr=self._log,
            stdout=self._log,
        )

    def listen(self, word: str, within: float = PATIENCE) -> bool:
        """Wait until systemd would have heard a message with this word; False when the process ends before."""
        until = time.monotonic() + within
        while not any(word in message for message in self.heard):
            try:
                self.heard.append(self._ear.recv(4096).decode())
            except TimeoutError:
                if self.process.poll() is not None:
                    return False
                assert time.monotonic() < until, f"no {word} within {within} s\n{self.log()}"
        return True

    def log(self) -> str:
        """What the daemon has logged so far."""
        return Path(self._log.name).read_text(errors="replace")

    def kill(self) -> None:
        """As the kernel does it when memory runs out."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def ask(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """Ask it to stop, and return its exit status."""
        self.ask(signal.SIGTERM)
        return self.process.wait(40)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.kill()
        self._log.close()
        self._ear.close()
        self._folder.cleanup()
