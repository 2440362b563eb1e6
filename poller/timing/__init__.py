"""What time alone changes, without a build arriving."""
