"""Text inside XML: nothing of it is ever markup, and nothing of it makes a document that no parser takes."""

import html
import re

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2


def escaped(text: str) -> str:
    """For the content of an element and for an attribute in either kind of quotes."""
    return html.escape(_ILLEGAL.sub("\ufffd", text), quote=True)


def attribute(text: str) -> str:
    """The same for an attribute, in which line breaks and tabs would become spaces."""
    return re.sub("[\t\n\r]", lambda found: f"&#{ord(found[0])};", escaped(text))


def element(name: str, content: str = "", /, **attributes: str | None) -> str:
    """An element around ready markup; attributes are text, and those that are None are left out."""
    given = "".join(
        f' {key.rstrip("_")}="{attribute(value)}"' for key, value in attributes.items() if value is not None
    )
    return f"<{name}{given}>{content}</{name}>" if content else f"<{name}{given}/>"
