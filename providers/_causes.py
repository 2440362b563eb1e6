"""What goes wrong on the way to a server, in our words: the cause and the cure, never a secret or a body."""

import socket
import ssl
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ProtocolError, ReadTimeoutError
from urllib3.exceptions import TimeoutError as PoolTimeoutError

from providers._base import ProviderError, Refused, Trouble, Unavailable
from providers._wire import TooLargeError, UndecodableError


def shown(url: str) -> str:
    """The URL for messages: without credentials, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a broken URL"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def in_our_words(error: Exception, url: str, *, late: bool) -> ProviderError:
    """The error of our port for anything that a call can raise; `late`: its deadline has passed."""
    where = shown(url)
    if isinstance(error, TooLargeError):
        return Unavailable(Trouble.TOO_LARGE, f"{where} answered with more bytes than allowed: reading was stopped")
    if isinstance(error, UndecodableError):
        return Unavailable(Trouble.NOT_JSON, f"{where} answered with {error}")
    root = _root(error)
    if isinstance(root, ssl.SSLError):
        return _tls(root, where)
    if late or _is_timeout(error, root):
        return Unavailable(Trouble.TIMEOUT, f"{where} did not answer in time")
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        return Refused(Trouble.TLS, f"{where}: the file of `ca_file` cannot be used: {error}")
    return Unavailable(Trouble.CONNECTION, f"{where}: {_why(root)}")


def _tls(error: ssl.SSLError, where: str) -> ProviderError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refused(
            Trouble.TLS,
            f"{where}: its certificate does not verify: {error.verify_message}. If it is signed by an authority of "
            "your own, give that authority's certificate as `ca_file`",
        )
    return Unavailable(
        Trouble.TLS,
        f"{where}: no TLS connection ({error.reason or 'handshake failed'}): check https against http in the URL, and "
        "that `ca_file` holds certificates in PEM form",
    )


def _root(error: BaseException) -> BaseException:
    """The innermost cause: requests wraps urllib3, which wraps what the operating system said."""
    for _ in range(10):
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((argument for argument in error.args if isinstance(argument, BaseException)), None)
        inner = inner or error.__cause__
        if inner is None:
            break
        error = inner
    return error


def _is_timeout(error: Exception, root: BaseException) -> bool:
    timeouts = (requests.Timeout, PoolTimeoutError, TimeoutError)
    if isinstance(error, timeouts) or isinstance(root, timeouts):
        return True
    return any(isinstance(argument, ReadTimeoutError) for argument in error.args)


def _why(root: BaseException) -> str:
    """What happened, without the URLs that exception texts of requests hold."""
    if isinstance(root, socket.gaierror):
        return "the name of the host is not known: " + (root.strerror or "no answer")
    if isinstance(root, OSError) and root.strerror:
        return root.strerror.lower()
    if isinstance(root, ProtocolError) or "IncompleteRead" in type(root).__name__:
        return "the connection broke in the middle of the answer"
    return f"the connection broke ({type(root).__name__})"
