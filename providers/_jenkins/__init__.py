"""How a Jenkins server is read."""
