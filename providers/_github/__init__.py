"""How a GitHub server is read."""
