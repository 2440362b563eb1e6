import gc
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from poller.running import process


@pytest.fixture
def collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("collector")
def test_what_the_start_made_is_not_looked_at_again() -> None:
    process.spare_the_collector()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold()[0] == process.COLLECT_AFTER


def test_threads_share_one_heap(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda *what: said.append(what))
    monkeypatch.setattr("poller.running.process.ctypes.CDLL", lambda _: library)
    process.share_one_heap()
    assert said == [(-8, 1), (-3, 131072)]  # M_ARENA_MAX, M_MMAP_THRESHOLD of malloc.h


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("poller.running.process.ctypes.CDLL", lambda _: SimpleNamespace())
    process.share_one_heap()
