"""URLs of builds as patterns: a pipeline's builds differ in their numbers only, so they share one pattern."""

from domain.build import Build


class Patterns:
    """Finds the patterns of the builds of one pipeline. The last one is tried first."""

    def __init__(self) -> None:
        self._before = self._after = ""
        self._name: str | None = None
        self._pattern: str | None = None

    def of(self, build: Build) -> str | None:
        """The URL with id, number and attempt replaced where they are whole path segments; None when that is unsafe."""
        url = build.url
        if url is None:
            return None
        if self._name is not None:
            value = build.number if self._name == "{number}" else build.external_id
            if f"{self._before}{value}{self._after}" == url:
                return self._pattern
        found = pattern_of(build)
        if found is not None and found.count("{") == 1 and "{attempt}" not in found:
            self._pattern = found
            self._before, self._name, self._after = found.partition("{number}" if "{number}" in found else "{id}")
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
