"""Text as Slack's mrkdwn takes it: escaped, counted in UTF-16 units, cut without breaking anything."""


def escape(text: str) -> str:
    """Exactly the three characters that Slack decodes: `<!channel>` in a branch name stays text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fit(text: str, limit: int) -> str:
    """The text escaped and cut to at most `limit` UTF-16 units, never inside an escape."""
    escaped = escape(text)
    if units(escaped) <= limit:
        return escaped
    room = limit - 1
    kept: list[str] = []
    for character in text:
        piece = escape(character)
        room -= units(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept) + "…"


def link(escaped: str, url: str) -> str:
    """A link on text that is escaped already."""
    return f"<{escape(url).replace('|', '%7C')}|{escaped}>"  # a bar would end the URL


def units(text: str) -> int:
    """How Slack counts."""
    return len(text.encode("utf-16-le")) // 2
