"""From a decision to the outbox: who hears of it and when, and what people do about it."""
