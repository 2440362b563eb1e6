"""Templates of messages, tried with a sample of every sort."""

from collections.abc import Iterator
from datetime import datetime

from alerts.channels._base import TemplateError
from alerts.channels._plain import tidy
from alerts.writing.samples import samples
from poller.config import Configuration
from poller.config.problems import ConfigurationError, Problem


def prove_templates(configuration: Configuration, now: datetime) -> None:
    """Raises ConfigurationError when a template fails for any sample, or is for channels that take none."""
    problems = [*_problems(configuration, now)]
    if problems:
        raise ConfigurationError(problems, configuration.files)


def _problems(configuration: Configuration, now: datetime) -> Iterator[Problem]:
    messages = samples(now, configuration.timezone) if configuration.templates else {}
    for kind, file in configuration.templates.items():
        plugin = configuration.channel_plugins.get(kind)
        if plugin is None:
            continue  # no channel is of this kind, so nothing is sent in this form
        make = plugin.template
        if make is None:
            path = f"templates.{kind}"
            text = f"{path}: messages of this kind of channel have one form only"
            yield Problem(file=configuration.path, line=1, column=1, path=path, message=text)
            continue
        template = make(file.path, file.text)
        failed: set[tuple[int | None, str]] = set()
        for name, message in messages.items():
            try:
                template.render(tidy(message))
            except TemplateError as error:
                if (error.line, error.why) not in failed:
                    text = f"{error.why} (the sample {name})"
                    yield Problem(
                        file=file.path, line=error.line or 1, column=1, path=f"templates.{kind}", message=text
                    )
                failed.add((error.line, error.why))
