"""Who may do what: found out before any route, and said by each."""
