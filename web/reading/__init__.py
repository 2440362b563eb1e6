"""What is read: functions that ask the store and give values as JSON shows them. No HTTP here."""
