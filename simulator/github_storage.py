"""Where the simulated GitHub keeps logs and archives: another origin, with links that live a minute."""

import re
import secrets
from collections import OrderedDict
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from typing_extensions import override

from simulator.moments import Now
from simulator.server import Answer, Request, Server, text_answer

_LINK_LIVES = timedelta(minutes=1)
_LINKS_KEPT = 1000
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class _Blob:
    content: bytes
    type: str
    ends_at: datetime


class BlobStorage(Server):
    """Signed links that live a minute, no credentials wanted, parts on demand.

    `ranges` is how it takes a Range header: `azure` knows `bytes=2-5` and `bytes=2-` and ignores `bytes=-3`, as
    Azure does; `full` knows that too; `none` ignores all.
    """

    def __init__(self, *, now: Now, lock: AbstractContextManager[Any], **options: Any) -> None:
        super().__init__(now=now, lock=lock, **options)
        self.ranges = "azure"
        self._blobs: OrderedDict[str, _Blob] = OrderedDict()

    def link(self, content: bytes, *, name: str = "logs.txt", kind: str = "text/plain; charset=utf-8") -> str:
        """A link to this content."""
        key = secrets.token_hex(12)
        self._blobs[key] = _Blob(content, kind, self.now() + _LINK_LIVES)
        while len(self._blobs) > _LINKS_KEPT:
            self._blobs.popitem(last=False)
        return f"{self.origin}/actions-results/{key}/{name}?sig={secrets.token_urlsafe(16)}"

    @override
    def answer(self, request: Request) -> Answer:
        """The blob or a part of it; 403 when the link is too old, 400 when credentials came along, as Azure's."""
        if "authorization" in request.headers:
            return _error(400, "InvalidAuthenticationInfo")
        blob = self._blobs.get(request.segments[1] if len(request.segments) > 1 else "")
        if blob is None or blob.ends_at < self.now() or "sig" not in request.query:
            return _error(403, "AuthenticationFailed")
        size = len(blob.content)
        headers = {"Content-Type": blob.type, "Accept-Ranges": "bytes", "Server": "Windows-Azure-Blob/1.0"}
        part = self._part(request.headers.get("range", ""), size)
        if part is None:
            return Answer(headers=headers, body=blob.content)
        first, last = part
        if first >= size:
            return Answer(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        return Answer(status=206, headers=headers, body=blob.content[first : last + 1])

    def _part(self, wanted: str, size: int) -> tuple[int, int] | None:
        """The first and last byte that are asked for; None: all."""
        found = _RANGE.fullmatch(wanted)
        if found is None or self.ranges == "none":
            return None
        first, last = found.groups()
        if first:
            return int(first), min(int(last) if last else size - 1, size - 1)
        if self.ranges == "full" and last:
            return max(size - int(last), 0), size - 1
        return None


def _error(status: int, code: str) -> Answer:
    return text_answer(f"<?xml version='1.0' encoding='utf-8'?><Error><Code>{code}</Code></Error>", status=status)
