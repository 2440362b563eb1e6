"""The forms of GitHub's answers: errors, pages with Link headers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from typing_extensions import override

from simulator.server import Answer, Request, json_answer

DOCS = "https://docs.github.com/rest"
LARGEST_PAGE = 100


class Refusal(Exception):
    """An error answer."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})

    def answer(self) -> Answer:
        """As GitHub writes it."""
        body = {"message": str(self), "documentation_url": DOCS, "status": str(self.status)}
        return json_answer(body, status=self.status, headers=self.headers)


class Lazy(Sequence[object]):
    """A list whose elements are written only when their page is asked for."""

    def __init__(self, values: Sequence[Any], write: Callable[[Any], object]) -> None:
        self._values = values
        self._write = write

    @override
    def __len__(self) -> int:
        return len(self._values)

    @override
    def __getitem__(self, index: Any) -> Any:
        return [self._write(value) for value in self._values[index]]


def listed(request: Request, values: Sequence[object], base: str, key: str | None = None) -> Answer:
    """A page of a list, with Link headers that start with `base`. `key` wraps it in an object with total_count."""
    size = max(min(number(request, "per_page", 30), LARGEST_PAGE), 1)
    page = max(number(request, "page", 1), 1)
    part = values[(page - 1) * size : page * size]
    body = part if key is None else {"total_count": len(values), key: part}
    last = max(-(-len(values) // size), 1)
    return json_answer(body, headers=_links(base, request.query, page, last))


def number(request: Request, name: str, default: int) -> int:
    """A number of the query; the default where there is none."""
    value = request.query.get(name, "")
    return int(value) if value.isdigit() else default


def _links(base: str, query: Mapping[str, str], page: int, last: int) -> dict[str, str]:
    """The Link header; none when there is one page only."""
    wanted = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    shown = ["prev", "next", "last", "first"] if page < last else ["prev", "first"]
    if page == 1:
        shown = [name for name in shown if name in ("next", "last")]
    links = [f'<{base}?{urlencode({**query, "page": wanted[name]})}>; rel="{name}"' for name in shown]
    return {"Link": ", ".join(links)} if links and last > 1 else {}
