"""Signals as facts for the main loop to look at: nothing happens inside a handler but a note and a wake-up."""

import os
import select
import signal
import threading
from types import FrameType

from poller.running.notify import Systemd


class Signals:
    """SIGTERM and SIGINT ask to stop (the second time at once), SIGHUP to read config.yaml again."""

    def __init__(self, systemd: Systemd) -> None:
        self._systemd = systemd
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.stop = False
        self.reload = False
        self._closed = False

    def install(self) -> None:
        """Take the signals over. Does nothing off the main thread, where Python allows no handlers."""
        if threading.current_thread() is not threading.main_thread():
            return
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self.stop:
            os._exit(1)  # asked twice: as safe as kill -9
        self.stop = True

    def _on_reload(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._systemd.reloading()  # now: `systemctl reload` waits from this moment
        self.reload = True

    def ask_to_stop(self) -> None:
        """The same as a first SIGTERM, from another thread."""
        self.stop = True
        if not self._closed:  # the number may be another file's by now
            os.write(self._writer, b"\0")

    def wait(self, seconds: float) -> None:
        """Until a signal comes or the time is over."""
        ready, _, _ = select.select([self._reader], [], [], seconds)
        if ready:
            os.read(self._reader, 4096)

    def close(self) -> None:
        """Give the pipe back."""
        if threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(-1)
        self._closed = True
        os.close(self._reader)
        os.close(self._writer)
