"""For programs that show how builds stand."""
