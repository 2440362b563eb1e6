"""Regular summaries."""
