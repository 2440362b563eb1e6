"""100,000 builds that arrive at once: all stored, one summary for each channel, little memory."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.flood import BUILDS, PIPELINES

MOST_MEMORY = 250 * 1024  # KiB


@pytest.mark.timeout(300)
def test_a_hundred_thousand_builds_are_stored_and_summed_up_once(
    store_url: str, record_property: Callable[[str, object], None]
) -> None:
    command = [sys.executable, "-m", "tests.support.flood", store_url]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads(done.stdout)
    for name in ("seconds", "cpu", "before", "peak", "bytes"):
        record_property(name, figures[name])
    cost = "{seconds} s, CPU {cpu} s, {before} to {peak} KiB, {bytes} bytes\n"
    sys.stdout.write(cost.format(**figures))
    assert figures["builds"] == PIPELINES * BUILDS
    assert figures["pipelines"] == PIPELINES
    assert {name: len(said) for name, said in figures["messages"].items()} == {"one": 1, "two": 1}
    assert "already need attention at first contact" in figures["messages"]["one"][0]
    assert figures["peak"] <= MOST_MEMORY
