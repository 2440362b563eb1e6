"""How Jenkins spells names: full names, paths, branch jobs, globs over jobs, and the branches that git reports.

A full name is the names of the folders and of the job joined with `/`. The job of branch `feature/x` is called
`feature%2Fx`, so its full name is `org/repo/feature%2Fx`, people see `feature/x`, and its path has the name
percent-encoded once more: `/job/org/job/repo/job/feature%252Fx/`.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

_SLASH_IN_NAME: Final = "\0"  # a slash that belongs to one name, which no name can hold by itself
_RAW_IN_PATHS: Final = "!$&()*+,=@"  # what Jenkins leaves as it is, but for the apostrophe, which ends HTML attributes
_ENCODED: Final = {character: f"%{ord(character):02X}" for character in "#%/?[]\\"}
_PULL_REQUEST: Final = re.compile(r"(?:PR|MR)-\d+(?:-(?:head|merge))?")


def path_of(full_name: str) -> str:
    """The path of a job below the server's URL, with a slash at the end: `job/folder/job/name/`."""
    return "".join(f"job/{quote(name, safe=_RAW_IN_PATHS)}/" for name in full_name.split("/"))


def job_of_page(url: str, server: str) -> str | None:
    """The full name of the job whose page, or a page below it, a URL shows; None when the server has no such page.

    Args:
        url: Like https://jenkins.example.com/ci/job/folder/job/name/7/console.
        server: Its address, with a slash at the end.
    """
    try:
        page, home = urlsplit(url), urlsplit(server)
        same = (page.scheme, page.hostname, page.port) == (home.scheme, home.hostname, home.port)
    except ValueError:
        return None
    if not same or not page.path.startswith(home.path):
        return None
    return job_of_path(page.path.removeprefix(home.path))


def job_of_path(path: str) -> str | None:
    """The full name of a job from its path below the server's URL, whatever follows it there."""
    segments = path.split("/")
    names: list[str] = []
    while len(segments) > 1 and segments[0] == "job" and segments[1]:
        names.append(unquote(segments[1]))
        segments = segments[2:]
    return "/".join(names) or None


def job_posted(body: Mapping[str, Any]) -> str:
    """The full name of the job that a body of the Notification plugin, or a `{job: folder/name}`, is about.

    Jenkins writes its own idea of its address into URLs: only what follows it counts. Raises ValueError.
    """
    job = body.get("job")
    if isinstance(job, str) and job.strip("/"):
        return job.strip("/")
    build = body.get("build")
    urls = (body.get("url"), build.get("full_url") if isinstance(build, Mapping) else None, body.get("build_url"))
    for url in urls:
        before, found, rest = ("/" + url).partition("/job/") if isinstance(url, str) else ("", "", "")
        name = job_of_path(f"job/{rest}" + "/") if found and "?" not in before else None
        if name is not None:
            return name
    raise ValueError("job: it tells of no job; send {job: folder/name}, or what the Notification plugin sends")


def decoded(full_name: str) -> str:
    """As people see it: `org/repo/feature%2Fx` → `org/repo/feature/x`."""
    return unquote(full_name) if "%" in full_name else full_name


def job_of_branch(branch: str) -> str:
    """The name of the job of a branch, as Jenkins encodes it: `feature/x` → `feature%2Fx`."""
    if branch in {"", ".", ".."}:
        return {"": "%00", ".": "%2E", "..": "%2E."}[branch]
    return "".join(_ENCODED.get(character, character) for character in branch)


def is_pull_request(branch_job: str) -> bool:
    """Whether a child of a multibranch project builds a pull or merge request."""
    return _PULL_REQUEST.fullmatch(branch_job) is not None


def branch_reported(name: str) -> str | None:
    """The branch that the git plugin means: `refs/remotes/origin/main` → `main`; None when detached."""
    if name.startswith(("refs/remotes/", "remotes/")):
        name = name.partition("remotes/")[2].partition("/")[2]
    elif name.startswith(("refs/heads/", "origin/")):
        name = name.removeprefix("refs/heads/").removeprefix("origin/")
    return None if name in {"", "detached", "HEAD"} else name


class JobGlob:
    """A `job` of config.yaml: `*` stays within a folder, `**` crosses folders, `?` is one character.

    Names count as people see them and as Jenkins encodes them: `feature/x` and `feature%2Fx` are the same branch.
    Raises ValueError for a glob with an empty name in it.
    """

    def __init__(self, text: str) -> None:
        names = text.strip().strip("/").split("/")
        if not all(names):
            raise ValueError(f"{text!r} has an empty name between two slashes")
        self.text = text
        self.literal = not _is_wild(text)
        self.depth = None if "**" in names else len(names)
        self._names = names

    # Compiled when first asked: a check of a thousand entries matches nothing.

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        return _compiled(self._names)

    @cached_property
    def _projects(self) -> list[tuple[re.Pattern[str], str]]:
        names = self._names
        return [
            (_compiled(names[:end]), unquote("/".join(names[end:])))
            for end in range(len(names) - 1, 0, -1)
            if _may_name_a_project(names[:end], names[end:])
        ]

    @cached_property
    def _folders(self) -> list[re.Pattern[str]]:
        folders = [self._names[:end] for end in range(1, len(self._names))]
        if "**" in self._names:
            folders.append(self._names[: self._names.index("**") + 1])
        return [_compiled(folder) for folder in folders]

    def matches(self, full_name: str) -> bool:
        """Whether it names exactly this job."""
        return self._whole.fullmatch(_marked(full_name)) is not None

    def branches_in(self, project: str) -> str | None:
        """What it asks for within a multibranch project that it reaches into: the rest of the glob, decoded.

        Only the server knows which part of `org/repo/feature/x` is the project, so any may be.
        """
        name = _marked(project)
        return next((rest for pattern, rest in self._projects if pattern.fullmatch(name)), None)

    def reaches_into(self, folder: str) -> bool:
        """Whether a job somewhere inside this folder can match."""
        name = _marked(folder)
        return any(pattern.fullmatch(name) for pattern in self._folders)


def _is_wild(text: str) -> bool:
    return "*" in text or "?" in text


def _may_name_a_project(head: list[str], rest: list[str]) -> bool:
    """`*/*` names jobs in folders: read as all branches of any project it would claim every plain job at the top."""
    if "**" in head:
        return False
    return not any(map(_is_wild, head)) or any(name.strip("*") for name in rest)


def _marked(full_name: str) -> str:
    """Decoded, with the slashes inside names told apart from those between them."""
    if "%" not in full_name:
        return full_name
    return "/".join(unquote(name).replace("/", _SLASH_IN_NAME) for name in full_name.split("/"))


def _compiled(names: list[str]) -> re.Pattern[str]:
    parts: list[str] = []
    for position, name in enumerate(names, start=1):
        last = position == len(names)
        if name == "**":
            parts.append(".+" if last else "(?:.+/)?")
        else:
            parts.append(_within_a_name(name) if last else _within_a_name(name) + f"[/{_SLASH_IN_NAME}]")
    return re.compile("".join(parts), re.DOTALL)


def _within_a_name(glob: str) -> str:
    signs = {"*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*+|\?)", glob)
    return "".join(signs.get(piece[:1]) or re.escape(unquote(piece).replace("/", _SLASH_IN_NAME)) for piece in pieces)
