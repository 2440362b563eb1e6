"""What is read about a build beside its result: which builds, how it becomes an explanation, and what it changes."""
