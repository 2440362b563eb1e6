"""Keeps requests from loading charset_normalizer: 3 MiB and 60 ms, to guess encodings. What we read is UTF-8."""

import sys
from types import ModuleType
from typing import Any

DETECTOR = "charset_normalizer"


def spare_the_detector() -> None:
    """Give requests a detector that always says UTF-8, unless the real one is loaded already.

    It has to happen before requests is imported: requests looks for it once, and warns when there is none.
    """
    if DETECTOR in sys.modules:
        return
    stand_in: Any = ModuleType(DETECTOR, "A stand-in: see providers/_charset.py.")
    stand_in.__version__ = "3.0.0"  # any that requests knows
    stand_in.detect = _detect
    sys.modules[DETECTOR] = stand_in


def _detect(_: bytes) -> dict[str, Any]:
    """What `requests.Response.text` asks when the headers do not tell."""
    return {"encoding": "utf-8", "language": "", "confidence": 1.0}
