"""What changes is pushed over WebSockets."""
