"""What systemd wants to hear from a service (sd_notify(3)), over its datagram socket."""

import contextlib
import os
import socket
import time
from collections.abc import Mapping

_PATIENCE = 1.0  # seconds: who does not listen must hold up neither the watchdog nor the end


class Systemd:
    """Tells systemd how the service is. Does nothing when no systemd listens."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_every = int(environ.get("WATCHDOG_USEC", 0)) / 1e6 / 3 if mine else 0.0
        """Seconds between two pings, a third of what systemd allows; 0 without a watchdog."""

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as s:
            s.settimeout(_PATIENCE)
            s.sendto(text.encode(), self._address)

    def ready(self, status: str) -> None:
        """Started, or done with a reload."""
        self._tell(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        """The line that `systemctl status` shows."""
        self._tell(f"STATUS={text}")

    def reloading(self) -> None:
        """To be called by the signal handler itself: `systemctl reload` waits from here to the next READY."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Going down, by wish."""
        self._tell("STOPPING=1\nSTATUS=Draining")

    def ping(self) -> None:
        """Alive, and getting somewhere."""
        self._tell("WATCHDOG=1")
