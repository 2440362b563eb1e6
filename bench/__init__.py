"""Benchmarks: `python -m bench`. Every figure is a ratio against a peer or a limit measured in the same run."""
