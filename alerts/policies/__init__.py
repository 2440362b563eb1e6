"""Who hears of it and when: routes, silences, quiet hours, reminders, escalations, groups, digests."""
