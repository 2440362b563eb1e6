"""`python -m simulator`: the servers alone, with the demo's story, until Ctrl-C."""

import argparse
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

from simulator.house import Simulator


def main(arguments: Sequence[str] | None = None, *, until: threading.Event | None = None) -> int:
    """Start, print the configuration that fits, wait. `until` ends it (default: an interrupt)."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="another seed, another story")
    parser.add_argument("--port-base", type=int, help="listen on this port and the next four (default: free ports)")
    parser.add_argument("--quiet-world", action="store_true", help="no story: nothing is built")
    asked = parser.parse_args(arguments)
    with Simulator(asked.seed, story=not asked.quiet_world, port_base=asked.port_base) as simulator:
        sys.stdout.write(simulator.config_text())
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            (until or threading.Event()).wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
