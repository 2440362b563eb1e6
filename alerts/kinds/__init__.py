"""The kinds of alerts: each decides from what is stored of its scope, and from nothing else."""
