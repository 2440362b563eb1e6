"""From the outbox to people."""
