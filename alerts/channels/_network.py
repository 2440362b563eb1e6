"""What slack and smtp share below their protocols: trust, a deadline for a whole conversation, and plain reasons."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from alerts.channels._base import ChannelError


def tls_context(ca_file: Path | None, *, verify: bool = True) -> ssl.SSLContext:
    """The system's authorities and those in `ca_file`; without `verify` nobody is checked."""
    context = ssl.create_default_context()
    try:
        if ca_file is not None:
            context.load_verify_locations(ca_file)
    except OSError as error:  # SSLError is one
        text = f"ca_file: {ca_file} holds no certificates that can be read"
        raise ChannelError(text, permanent=True, channel_wide=True) from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def cut_after(seconds: float, current: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Shut the current socket after so many seconds: its own timeout starts again with every byte of a slow answer."""

    def cut() -> None:
        sock = current()
        if sock is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown, which would pull the TLS layer from under the reading thread.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, seconds), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def reason_of(error: OSError) -> str:
    """Why, in the system's words, without the URL that other libraries put into theirs."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return error.strerror or type(error).__name__


def untrusted(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with a certificate, and the cure."""
    return f"its certificate is not trusted ({error.verify_message}); name your own authority in ca_file"
