"""Faithful loopback Jenkins, GitHub, Slack and mail servers over one seeded world.

For the demo, the tests and the benchmarks. Imports the standard library, `domain` and (mail only) aiosmtpd.
"""
