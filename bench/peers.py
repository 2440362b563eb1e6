"""Storing builds without this store: by hand in SQL, and by the ORM as one would first write it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from alerts.verdict import verdict_of
from domain.build import Build
from store.rows import BuildRow

PLAIN_TABLE = """CREATE TABLE plain (pipeline TEXT NOT NULL, external_id TEXT NOT NULL, attempt INT NOT NULL,
    number INT NOT NULL, status TEXT NOT NULL, outcome TEXT, verdict TEXT, branch TEXT, sha TEXT, trigger TEXT,
    actor TEXT, url TEXT, queued_at BIGINT, started_at BIGINT, finished_at BIGINT, duration BIGINT,
    UNIQUE (pipeline, external_id, attempt))"""
PLAIN_INDEXES = (
    "CREATE INDEX plain_finished ON plain (pipeline, finished_at, verdict, duration)",
    "CREATE INDEX plain_settled ON plain (pipeline, branch, number)",
)
PLAIN_COLUMNS = 16


class Base(DeclarativeBase):
    """The peers' table, as one would first write it."""


class Run(Base):
    """One row a build."""

    __tablename__ = "runs"
    pipeline: Mapped[str] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    status: Mapped[str]
    outcome: Mapped[str | None]
    branch: Mapped[str | None]
    commit: Mapped[str | None]
    trigger: Mapped[str | None]
    actor: Mapped[str | None]
    url: Mapped[str | None]
    started_at: Mapped[datetime | None] = mapped_column(DateTime)
    finished_at: Mapped[datetime | None] = mapped_column(DateTime)


def with_orm(url: str, page: Sequence[Build], *, merge: bool) -> None:
    """One page as one would first write it, tables included: they weigh little here."""
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        for build in page:
            run = Run(
                pipeline=build.pipeline.key,
                external_id=build.external_id,
                attempt=build.attempt,
                number=build.number,
                status=build.status,
                outcome=build.outcome,
                branch=build.branch,
                commit=build.commit,
                trigger=build.trigger,
                actor=build.actor,
                url=build.url,
                started_at=build.started_at,
                finished_at=build.finished_at,
            )
            key = {"pipeline": run.pipeline, "external_id": run.external_id, "attempt": run.attempt}
            if merge:
                session.merge(run)
            elif session.scalars(select(Run).filter_by(**key)).first() is None:
                session.add(run)
        session.commit()
    engine.dispose()


def plain(build: Build) -> tuple[Any, ...]:
    """A build as one would write it by hand."""
    started_at, finished_at = (at and round(at.timestamp() * 1000) for at in (build.started_at, build.finished_at))
    return (
        build.pipeline.key,
        build.external_id,
        build.attempt,
        build.number,
        build.status,
        build.outcome,
        verdict_of(build),
        build.branch,
        build.commit,
        build.trigger,
        build.actor,
        build.url,
        build.queued_at and round(build.queued_at.timestamp() * 1000),
        started_at,
        finished_at,
        finished_at - started_at if started_at and finished_at else None,
    )


def plain_guard() -> str:
    """Write what differs, and nothing else."""
    names = "number status outcome verdict branch sha trigger actor url queued_at started_at finished_at duration"
    return _guard("plain", "pipeline", names.split())


def lean_guard() -> str:
    """The same for this store's table."""
    return _guard("builds", "pipeline_id", [f'"{name}"' for name in BuildRow._fields])


def _guard(table: str, pipeline: str, names: Sequence[str]) -> str:
    settings = ", ".join(f"{name} = excluded.{name}" for name in names)
    differs = " OR ".join(f"{table}.{name} IS DISTINCT FROM excluded.{name}" for name in names)
    return f"ON CONFLICT ({pipeline}, external_id, attempt) DO UPDATE SET {settings} WHERE {differs}"
