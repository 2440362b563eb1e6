"""What people read: from an alert and its builds to a message that every channel can show."""
