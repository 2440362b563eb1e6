"""Where the store is, as SQLAlchemy wants to hear it."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from poller.config.problems import did_you_mean

_SQLITE = re.compile(r"(?P<scheme>sqlite(?:\+pysqlite)?)://(?:/(?P<path>[^?]*))?(?P<query>\?.*)?")
_POSTGRESQL = {"postgres", "postgresql", "postgresql+psycopg"}


def resolved_url(url: str, folder: Path) -> str:
    """The URL with a relative SQLite path made absolute below `folder`, and psycopg 3 as PostgreSQL's driver.

    Raises ValueError, without the URL in its text, for anything that is neither.
    """
    if sqlite := _SQLITE.fullmatch(url):
        path = sqlite["path"]
        if not path or path == ":memory:" or path.startswith("file:"):
            raise ValueError("a SQLite store needs a file, like sqlite:///buildwatch.db")
        return f"{sqlite['scheme']}:///{folder.absolute() / path}{sqlite['query'] or ''}"
    scheme, separator, rest = url.partition("://")
    if scheme in _POSTGRESQL and separator and rest:
        return f"postgresql+psycopg://{rest}"
    forms = "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
    hint = did_you_mean(scheme, _POSTGRESQL | {"sqlite"}) if separator and scheme.isprintable() else ""
    raise ValueError(f"must be {forms}{hint if 'did you mean' in hint else ''}")


def password_of(url: str) -> set[str]:
    """The password in a URL, as written and as meant; empty without one."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return set()
    return {password, unquote(password)} if password else set()
