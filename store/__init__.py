"""Everything that is remembered: builds, cursors, alerts, outbox. SQLAlchemy Core on SQLite and PostgreSQL."""
