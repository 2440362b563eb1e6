from pathlib import Path

from bench import junit


def test_all_who_are_compared_find_the_same_cases(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    junit.write(path, 200)
    assert {work(path) for work in junit.subjects().values()} == {200}
