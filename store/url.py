"""URLs of builds as patterns: a pipeline's builds differ in their numbers only, so they share one pattern."""

from domain.build import Build


def pattern_of(build: Build) -> str | None:
    """The URL with id, number and attempt replaced where they are whole path segments; None when that is unsafe."""
    url = build.url
    if url is None or "{" in url:
        return None
    replaced = {str(build.number): "{number}", build.external_id: "{id}"}
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
