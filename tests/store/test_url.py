import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.url import Patterns, expand, pattern_of
from tests.support.builders import build


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("https://ci/job/a/7/", "https://ci/job/a/{number}/"),
        ("https://gh/o/r/actions/runs/9001", "https://gh/o/r/actions/runs/{id}"),
        ("https://gh/o/r/actions/runs/9001/attempts/2", "https://gh/o/r/actions/runs/{id}/attempts/{attempt}"),
        ("https://ci/job/7/7/", "https://ci/job/{number}/{number}/"),
        ("https://ci/job/a-7/", "https://ci/job/a-7/"),
        ("https://ci/{number}/", None),
        (None, None),
    ],
)
def test_numbers_become_placeholders(url: str | None, pattern: str | None) -> None:
    one = build(7, external_id="9001", attempt=2, url=url)
    assert pattern_of(one) == pattern
    assert pattern is None or expand(pattern, "9001", 7, 2) == url


@given(st.text(alphabet="/{}7ab12", max_size=30), st.integers(1, 12), st.sampled_from(["7", "12", "{number}", "a"]))
def test_every_pattern_gives_its_url_back(path: str, number: int, external_id: str) -> None:
    one = build(number, external_id=external_id, url=f"https://ci/{path}", attempt=2)
    pattern = pattern_of(one)
    assert pattern is None or expand(pattern, external_id, number, 2) == one.url


@pytest.mark.parametrize("pattern", ["https://ci/a/{number}/", "https://ci/runs/{id}"])
def test_builds_of_a_pipeline_share_a_pattern(pattern: str) -> None:
    patterns = Patterns()
    for number in range(1, 4):
        url = expand(pattern, f"90{number}", number, 1)
        assert patterns.of(build(number, external_id=f"90{number}", url=url)) == pattern
    assert patterns.of(build(4, url="https://moved/a/4/")) == "https://moved/a/{number}/"
    assert patterns.of(build(5, url="https://moved/a/5/")) == "https://moved/a/{number}/"
    assert patterns.of(build(4)) is None
