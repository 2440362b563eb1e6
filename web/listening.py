"""The address that the web server listens on. Imports nothing heavy: an address that is taken is told before."""

import errno
import socket

SILENT = 30_000  # milliseconds
WAITING = 256  # connections that the system keeps until they are looked at


class CannotListenError(Exception):
    """The address cannot be had. The text names it and the cure."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address; port 0 is any that is free. Raises CannotListenError."""
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listener = socket.create_server(address, family=family, backlog=WAITING)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = "another program listens there already: set another port in `web.listen`"
        elif error.errno == errno.EACCES:
            reason = "only root may listen on ports below 1024: set another port in `web.listen`"
        else:
            reason = f"{error.strerror or error}: `web.listen` must be an address of this machine"
        raise CannotListenError(f"web server: {shown}: {reason}") from None
    # For its connections, too: whoever takes nothing for so long is gone, also when their system still answers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT)
    listener.settimeout(0)  # its copies, too: they share this, and a blocking one would stop a server's loop
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a browser on this machine finds it: `http://127.0.0.1:8080`."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
