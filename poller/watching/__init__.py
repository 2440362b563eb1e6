"""Providers are polled: when, how far, and how they are."""
