"""The dashboard: its pages, what they show, and how."""
