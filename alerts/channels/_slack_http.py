"""One bounded exchange with Slack, and what its answers mean.

slack_sdk's own transport retries a closed connection (and so posts twice), follows redirects, obeys proxy variables
and has a timeout per read only. Here a call is sent once, to the host that was configured, ends within its deadline,
and is told apart: not sent, or sent and unanswered.
"""

import contextlib
import logging
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection, IncompleteRead
from urllib.request import Request

from alerts.channels._base import ChannelError
from alerts.channels._network import cut_after, reason_of, untrusted

CALL_SECONDS = 10.0
_BODY_CAP = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, whatever it means. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: str


def exchange(request: Request, *, tls: ssl.SSLContext | None, seconds: float = CALL_SECONDS) -> Reply:
    """Send once and read the answer, within `seconds` in total; raises ChannelError when no answer came."""
    deadline = time.monotonic() + seconds
    with contextlib.closing(connect(request, tls=tls, seconds=seconds)) as connection:
        sock = connection.sock  # http.client forgets it while the answer is still being read
        # Whatever fails from here on may have happened after Slack accepted.
        try:
            with cut_after(deadline - time.monotonic(), lambda: sock):
                reply = _ask(connection, request)
        except (OSError, HTTPException):
            reply = None
    late = time.monotonic() >= deadline
    if reply is None or late:
        reason = f"there was no answer within {seconds:.0f} s" if late else "the connection broke"
        raise ChannelError(f"{request.host} got the message, but {reason}: it may have been posted", ambiguous=True)
    return reply


def _ask(connection: HTTPConnection, request: Request) -> Reply:
    connection.request("POST", request.selector, request.data, dict(request.header_items()))
    response = connection.getresponse()
    body = response.read(_BODY_CAP)
    if response.length and len(body) < _BODY_CAP:  # a limited read() does not tell
        raise IncompleteRead(body, response.length)
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(status=response.status, headers=headers, body=body.decode("utf-8", "replace"))


def connect(request: Request, *, tls: ssl.SSLContext | None, seconds: float) -> HTTPConnection:
    """A connection to the request's host; raises ChannelError when there is none."""
    host = request.host
    connection = (
        HTTPSConnection(host, timeout=seconds, context=tls)
        if request.type == "https"
        else HTTPConnection(host, timeout=seconds)
    )
    try:
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        raise ChannelError(f"{host}: {untrusted(error)}", permanent=True, channel_wide=True) from None
    except OSError as error:
        raise ChannelError(f"cannot reach {host}: {reason_of(error)}", channel_wide=True) from None
    return connection


def silent_logger() -> logging.Logger:
    """For slack_sdk, which writes URLs with secrets to its logger at DEBUG, and asks only that logger's own level."""
    logger = logging.Logger("slack_sdk", logging.CRITICAL + 1)  # noqa: LOG001 - one that no handler ever sees
    logger.disabled = True
    return logger
