"""Pure functions over builds: window summaries, percentiles, live counters."""
