import subprocess
import sys
from types import ModuleType

import pytest

from providers import _charset

SCRIPT = """
import sys
import providers, requests
assert not any(name.startswith("charset_normalizer.") for name in sys.modules)
answer = requests.Response()
answer._content = "köln".encode()
print(answer.text)
"""


def test_requests_reads_utf_8_without_loading_a_detector() -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-X", "utf8", "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr) == ("köln\n", "")


def test_a_detector_that_is_loaded_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ModuleType(_charset.DETECTOR)
    monkeypatch.setitem(sys.modules, _charset.DETECTOR, real)
    _charset.spare_the_detector()
    assert sys.modules[_charset.DETECTOR] is real


def test_the_stand_in_says_what_requests_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, _charset.DETECTOR, raising=False)
    _charset.spare_the_detector()
    assert sys.modules[_charset.DETECTOR].detect(b"\xff")["encoding"] == "utf-8"
    monkeypatch.undo()
