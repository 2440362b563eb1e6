"""The daemon and the command line: the only place that knows all the others."""
