"""`buildwatch metric`: one figure of a pipeline over time."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from domain.build import Pipeline
from metrics.baseline import Method
from poller.cli.metric_history import described, names_of, read_figure
from poller.cli.metric_screen import show
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, opened_to_read, present
from poller.cli.showing import print_json, say

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

_LONGEST = 3650  # days


@app.command()
def metric(
    pipeline: Annotated[str, typer.Argument(help="Its name or full name, or a pattern that fits one only.")],
    name: Annotated[str | None, typer.Argument(help="duration_seconds, tests_failed, ...; default: a list.")] = None,
    *,
    config: ConfigOption = None,
    days: Annotated[float, typer.Option(min=0.01, max=_LONGEST, help="How far back.")] = 30,
    branch: Annotated[str | None, typer.Option(metavar="NAME", help="Default: all.")] = None,
    provider: Annotated[str | None, typer.Option(metavar="NAME", help="Where two have such a pipeline.")] = None,
    method: Annotated[Method, typer.Option(help="How the baseline is found.")] = Method.INTELLIGENT,
    as_json: JsonOption = False,
) -> None:
    """One figure of a pipeline over time: history, percentiles, trend, baseline, builds that stand out."""
    configuration, now = load_configuration(config), present()
    until = now + timedelta(milliseconds=1)
    since = until - timedelta(days=days)
    with opened_to_read(configuration) as database:
        if name is None:
            known, names = database.read(lambda session: names_of(session, configuration, pipeline, provider))
            _list(known.pipeline, names, as_json=as_json)
            return
        found = database.read(
            lambda session: read_figure(
                session,
                configuration,
                pipeline,
                provider,
                name=name,
                branch=branch,
                since=since,
                until=until,
                method=method,
            )
        )
    if as_json:
        print_json(described(found, days))
    else:
        show(found, days, now)


def _list(pipeline: Pipeline, names: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"provider": pipeline.provider, "pipeline": pipeline.key, "names": list(names)})
        return
    for name in names:
        say(name)
