"""The files that a build archived, from the server itself or from the storage that it sends to."""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, TypeGuard
from urllib.parse import quote, unquote, urljoin

from requests import Response

from domain.build import Build
from domain.details import Artifact
from domain.text import clean
from providers._base import ProviderError, Refused, Trouble, Unavailable
from providers._causes import shown
from providers._http import MAX_REDIRECTS, REDIRECTS, Answer, Http, origin
from providers._jenkins.asking import Asker, Unread, error_of, place_in, place_of
from providers._jenkins.client import JenkinsClient
from providers._wire import read_capped

MOST_ARTIFACTS: Final = 2000
SECONDS: Final = 30.0  # for one file
_NAME_LIMIT: Final = 1000
_FILES: Final = f"artifacts[relativePath]{{0,{MOST_ARTIFACTS}}}"
_KEY: Final = re.compile(r"job/[^?#\\\s]+/\d+/artifact/[^?#\\\s]+\Z")
_OK: Final = 200


def read_artifacts(client: JenkinsClient, build: Build) -> tuple[Artifact, ...]:
    """The first 2,000 files, in the server's order; of a matrix those of its configurations, below their names.

    Raises Unavailable and Refused.
    """
    place = place_of(client.url, build)
    if place is None:
        return ()
    try:
        raw = Asker(client, place, seconds=SECONDS).tree(f"number,{_FILES},runs[number,url,{_FILES}]")
    except Unread as unread:
        raise unread.error from unread
    own = [Artifact(name=clean(path, _NAME_LIMIT), key=f"{place}artifact/{quote(path)}") for path in _paths(raw)]
    return (*own, *(found for run in _runs(raw, build.number) for found in _of_run(run)))[:MOST_ARTIFACTS]


def _runs(raw: Mapping[str, Any], number: int) -> list[Mapping[str, Any]]:
    """The configurations of a matrix that were built with it: what a job archives lies with them."""
    listed = raw.get("runs")
    runs = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return [run for run in runs if run.get("number") == number]


def _of_run(run: Mapping[str, Any]) -> Iterator[Artifact]:
    place = place_in(run.get("url"))
    if place is not None:
        name = unquote(place.split("/")[-3])
        for path in _paths(run):
            yield Artifact(name=clean(f"{name}/{path}", _NAME_LIMIT), key=f"{place}artifact/{quote(path)}")


def _paths(raw: Mapping[str, Any]) -> list[str]:
    listed = raw.get("artifacts")
    paths = [each.get("relativePath") for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return [path for path in paths if _is_path(path)]


def read_artifact(client: JenkinsClient, elsewhere: Http, build: Build, artifact: Artifact, limit: int) -> bytes:
    """The content of a file. `elsewhere` asks other hosts that the server sends to, without any credentials.

    Raises:
        Refused: too large, not found, auth, tls.
        Unavailable: connection, timeout, redirect, server error.
    """
    path = artifact.key
    if not _KEY.match(path) or not _is_path(unquote(path)):
        raise Refused(Trouble.NOT_FOUND, f"{artifact.name} of {build.external_id} has no place on {client.url}")
    deadline = time.monotonic() + SECONDS
    asking = client.opened(path, None, seconds=SECONDS)
    url = client.url + path
    for _ in range(MAX_REDIRECTS + 1):
        content, url = _read(asking, url, limit)
        if content is not None:
            return content
        if origin(url) == origin(client.url) and url.startswith(client.url):
            asking = client.opened(url[len(client.url) :], None, seconds=deadline - time.monotonic())
        else:
            asking = elsewhere.stream(url, headers={}, deadline=deadline)
    raise Unavailable(Trouble.REDIRECT, f"{client.url}{path} redirects more than {MAX_REDIRECTS} times")


def _is_path(path: object) -> TypeGuard[str]:
    return isinstance(path, str) and bool(path) and not {"..", "."} & set(path.replace("\\", "/").split("/"))


def _read(asking: AbstractContextManager[Response], url: str, limit: int) -> tuple[bytes | None, str]:
    """The content, or None and where it is."""
    try:
        with asking as response:
            status, headers = response.status_code, response.headers
            if status == _OK:
                return read_capped(response, limit), url
    except ProviderError as error:
        if error.trouble is Trouble.TOO_LARGE:
            raise Refused(Trouble.TOO_LARGE, f"{shown(url)} has more than {limit:,} bytes") from error
        raise
    target = headers.get("Location")
    if status in REDIRECTS and target:
        return None, urljoin(url, target)
    refusal = error_of(Answer(status=status, headers=headers, body=b"", url=url, asked=url))
    raise Refused(Trouble.NOT_FOUND, str(refusal)) if refusal.trouble is Trouble.NOT_FOUND else refusal
