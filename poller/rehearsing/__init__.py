"""What would be sent: now, or by other rules in the past. Nothing is stored or sent."""
