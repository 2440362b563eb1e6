"""Loopback Jenkins, GitHub, Slack and SMTP servers over one seeded world, faithful to the real ones."""
