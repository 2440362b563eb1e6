"""What the daemon stands on as a process: clocks, signals, systemd, logs, progress."""
