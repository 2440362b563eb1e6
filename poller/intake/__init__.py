"""Builds come in: stored, settled and judged, a page in a transaction."""
