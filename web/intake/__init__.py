"""Builds that come by themselves: pushed, announced by webhooks, or made up."""
