"""The files that pages need: style sheets and scripts. A name with the hash of all of them never goes stale.

Modules import each other by relative names, so one hash stands for the whole folder: `/assets/3f2a…/live.js`.
"""

import hashlib
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response

from web.access.scopes import anybody
from web.problems import ProblemError

FOR_EVER = "public, max-age=31536000, immutable"
TO_BE_ASKED = "no-cache"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Assets:
    """The files below `web/static`, read once: they are part of the program."""

    def __init__(self) -> None:
        self._files = {
            name: content
            for folder in ("", "vendor/")
            for name, content in _read(folder)
            if any(name.endswith(suffix) for suffix in MEDIA_TYPES)
        }
        whole = hashlib.sha256()
        for name, content in sorted(self._files.items()):
            whole.update(name.encode() + b"\0" + content + b"\0")
        self.version = whole.hexdigest()[:16]

    def url(self, name: str) -> str:
        """Where a file is: an address that changes with the files."""
        if name not in self._files:
            raise KeyError(name)
        return f"/assets/{self.version}/{name}"

    def answer(self, path: str, known: str | None) -> Response:
        """A file by its path with or without the hash. `known`: the ETag that the browser has."""
        version, _, rest = path.partition("/")
        fresh = version == self.version
        name = rest if fresh else path
        content = self._files.get(name)
        if content is None:
            raise ProblemError(404, "there is no such file")
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        headers = {"ETag": tag, "Cache-Control": FOR_EVER if fresh else TO_BE_ASKED}
        if known is not None and tag in known:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=MEDIA_TYPES["." + name.rpartition(".")[2]], headers=headers)


def routes(assets: Assets) -> APIRouter:
    """The files, for everybody: they are in every copy of buildwatch."""
    router = APIRouter(include_in_schema=False, dependencies=[Depends(anybody)])

    @router.get("/assets/{path:path}")
    def asset(path: str, if_none_match: Annotated[str | None, Header()] = None) -> Response:
        """A style sheet, a script or a picture."""
        return assets.answer(path, if_none_match)

    @router.get("/favicon.ico")
    def favicon() -> Response:
        """What browsers ask for by themselves."""
        return assets.answer("icon.svg", None)

    return router


def _read(folder: str) -> list[tuple[str, bytes]]:
    place = files("web").joinpath("static", *folder.strip("/").split("/") if folder else ())
    return [(folder + each.name, each.read_bytes()) for each in place.iterdir() if each.is_file()]
