"""`python -m bench [NAME ...] [--quick] [--rounds=5]`: all benchmarks, or those named, each in a process of its own."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = (
    "ingest",
    "windows",
    "poll",
    "schedule",
    "footprint",
    "rate_drop",
    "noise",
    "day",
    "storm",
    "details",
    "junit",
    "tests",
    "web",
    "web_live",
)


def main() -> int:
    """Run them one after the other; the exit status tells whether all came to their end."""
    wanted = [each for each in sys.argv[1:] if not each.startswith("-")]
    options = [each for each in sys.argv[1:] if each.startswith("-")]
    unknown = set(wanted) - set(BENCHMARKS)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(BENCHMARKS)}")
        return 2
    folder = Path(__file__).parent
    status = 0
    for name in wanted or BENCHMARKS:
        if (folder / f"{name}.py").exists():
            status |= subprocess.run([sys.executable, "-m", f"bench.{name}", *options], check=False).returncode
    return status


sys.exit(main())
