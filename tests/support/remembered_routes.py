"""Applications in a fraction of their time: what FastAPI has found out of a function, it need not find out again."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FunctionType
from typing import Any

import pytest
from fastapi import routing
from fastapi.dependencies.models import Dependant

ATTRIBUTES = tuple(routing._APIRouteLike.__annotations__)


@contextmanager
def remembered_routes() -> Iterator[None]:
    """Until the end of the block, the models of a route are made once, not once for every application.

    An application of a test has its own functions, over its own site: the same code, with other variables around it.
    Parameters, bodies and answers of the same code at the same path are the same.
    """
    made: dict[Hashable, dict[str, Any]] = {}
    populate: Callable[..., None] = routing._populate_api_route_state

    def remembering(route: Any, path: str, endpoint: Callable[..., Any], **how: Any) -> None:
        depends = tuple(each.dependency for each in how.get("dependencies") or ())
        key = (type(route), path, getattr(endpoint, "__code__", endpoint), depends)
        if key not in made:
            populate(route, path, endpoint, **how)
            if isinstance(endpoint, FunctionType) and all(map(_stands_alone, route.dependant.dependencies)):
                known = {name: getattr(route, name) for name in ATTRIBUTES}
                made[key] = known | {"dependant": replace(route.dependant, call=None), "endpoint": None}
            return
        own = {"endpoint": endpoint, "dependency_overrides_provider": how.get("dependency_overrides_provider")}
        for name, value in (made[key] | own).items():
            setattr(route, name, value)
        route.dependant = replace(route.dependant, call=endpoint)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing, "_populate_api_route_state", remembering)
        yield


def _stands_alone(dependant: Dependant) -> bool:
    """Whether a dependency, and all that it needs, knows nothing of an application: only words are around it."""
    call = dependant.call
    if not isinstance(call, FunctionType) or not all(map(_stands_alone, dependant.dependencies)):
        return False
    around = [cell.cell_contents for cell in call.__closure__ or ()]
    return all(isinstance(each, tuple) and all(isinstance(word, str) for word in each) for each in around)
