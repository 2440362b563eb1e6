"""PostgreSQL as we want it: bounded waits everywhere, and no use of a connection that has died in the pool."""

import sqlalchemy
from sqlalchemy import Engine

_CONNECT_TIMEOUT = 10  # seconds
_SETTINGS = {
    "lock_timeout": "5s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",  # a frozen daemon must not block the one that takes over
    "timezone": "UTC",
}


def postgres_engine(url: sqlalchemy.URL) -> Engine:
    """An engine on psycopg 3; connections are tried before they are lent."""
    arguments = {
        "application_name": "buildwatch",
        "connect_timeout": _CONNECT_TIMEOUT,
        "keepalives_idle": 30,
        "tcp_user_timeout": 30_000,
        "options": " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items()),
    }
    driver = url.set(drivername="postgresql+psycopg")
    return sqlalchemy.create_engine(driver, connect_args=arguments, pool_pre_ping=True, pool_timeout=10)
