"""What stands before and after a build in its stream."""

from sqlalchemy import and_, or_, select

from store.database import Session
from store.schema import SETTLED, builds


def neighbours(session: Session, build_id: int) -> tuple[int | None, int | None]:
    """(id of the build before, id of the one after) in the order of the stream; None where there is none.

    Of builds that count; pull requests and forks have no neighbours.
    """
    here = session.execute(
        select(builds.c.pipeline_id, builds.c.stream_id, builds.c.generation, builds.c.number).where(
            builds.c.id == build_id
        )
    ).one_or_none()
    if here is None or here.stream_id is None:
        return None, None
    line = and_(
        builds.c.pipeline_id == here.pipeline_id,
        builds.c.stream_id == here.stream_id,
        SETTLED,
    )
    same = builds.c.generation == here.generation
    earlier = or_(builds.c.generation < here.generation, and_(same, builds.c.number < here.number))
    later = or_(builds.c.generation > here.generation, and_(same, builds.c.number > here.number))
    place = builds.c.generation, builds.c.number
    before = select(builds.c.id).where(line, earlier).order_by(*(each.desc() for each in place)).limit(1)
    after = select(builds.c.id).where(line, later).order_by(*place).limit(1)
    return session.execute(before).scalar(), session.execute(after).scalar()
