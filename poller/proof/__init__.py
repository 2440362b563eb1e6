"""For any build: who was told, or exactly why nobody."""
