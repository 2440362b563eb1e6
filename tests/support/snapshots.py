"""Expected outputs in files: BUILDWATCH_TEST_SNAPSHOTS=update writes them anew, to be read in the diff."""

import json
import os
from pathlib import Path


def check_snapshot(path: Path, found: object) -> None:
    """Compare with the file, as JSON that reads well."""
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("BUILDWATCH_TEST_SNAPSHOTS") == "update":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    assert path.is_file(), f"{path.name} is missing: run this test with BUILDWATCH_TEST_SNAPSHOTS=update"
    assert text == path.read_text("utf-8")
