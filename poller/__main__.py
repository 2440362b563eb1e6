"""`python -m poller` is `buildwatch`."""

from poller.cli import main

main()
