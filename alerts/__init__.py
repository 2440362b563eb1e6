"""Decisions about builds, as pure functions: verdicts, rules, routes, the words of a message."""
