"""URLs of builds as patterns: a pipeline's builds differ in their numbers only, so they share one pattern."""

from domain.build import Build


class Patterns:
    """Finds the patterns of many builds. The last one of each pipeline is tried first."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[str, str, str, str]] = {}

    def of(self, build: Build) -> str | None:
        """The URL with id, number and attempt replaced where they are whole path segments; None when that is unsafe."""
        if build.url is None:
            return None
        pipeline = build.pipeline.provider, build.pipeline.key
        last = self._last.get(pipeline)
        if last is not None:
            before, name, after, pattern = last
            value = build.number if name == "{number}" else build.external_id
            if f"{before}{value}{after}" == build.url:
                return pattern
        found = pattern_of(build)
        if found is not None and found.count("{") == 1 and "{attempt}" not in found:
            name = "{number}" if "{number}" in found else "{id}"
            self._last[pipeline] = *found.partition(name), found
        return found


def pattern_of(build: Build) -> str | None:
    """What `Patterns.of` finds, without a memory."""
    url = build.url
    if url is None or "{" in url:
        return None
    replaced = {build.external_id: "{id}", str(build.number): "{number}"}
    segments = [replaced.get(segment, segment) for segment in url.split("/")]
    if build.attempt > 1 and len(segments) > 1 and segments[-2] == "attempts":
        segments[-1] = "{attempt}"
    pattern = "/".join(segments)
    return pattern if expand(pattern, build.external_id, build.number, build.attempt) == url else None


def expand(pattern: str, external_id: str, number: int, attempt: int) -> str:
    """The URL of one build."""
    if "{" not in pattern:
        return pattern
    text = pattern.replace("{attempt}", str(attempt)).replace("{number}", str(number))
    return text.replace("{id}", external_id)
