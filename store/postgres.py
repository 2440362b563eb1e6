"""PostgreSQL as we want it: bounded waits everywhere, and no use of a connection that has died in the pool."""

import time
from typing import Any

import sqlalchemy
from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

from store.guard import Guard

_CONNECT_TIMEOUT = 10  # seconds
_PING_TIMEOUT = 3.0
_SETTINGS = {
    "lock_timeout": "5s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",  # a frozen daemon must not block the one that takes over
    "tcp_keepalives_idle": "30",  # nor must one whose host has gone
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "timezone": "UTC",
}


def postgres_engine(url: sqlalchemy.URL, guard: Guard) -> Engine:
    """An engine on psycopg 3; connections are tried before they are lent, and a frozen one is given up."""
    arguments = {
        "application_name": "buildwatch",
        "connect_timeout": _CONNECT_TIMEOUT,
        "keepalives_idle": 30,
        "tcp_user_timeout": 30_000,
        "options": " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items()),
    }
    named = url.set(drivername="postgresql+psycopg")
    engine = sqlalchemy.create_engine(named, connect_args=arguments, pool_timeout=10)
    broken = engine.dialect.loaded_dbapi.Error

    @event.listens_for(engine, "checkout")
    def _try(connection: Any, record: Any, proxy: Any) -> None:
        # What pool_pre_ping does, but it would wait for a frozen server without end.
        del record, proxy
        with guard.watch(connection, time.monotonic() + _PING_TIMEOUT):
            try:
                engine.dialect.do_ping(connection)
            except broken as error:
                raise DisconnectionError(str(error)) from error

    return engine
