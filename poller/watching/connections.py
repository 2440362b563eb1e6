"""The live providers and channels that a configuration asks for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from alerts.channels._base import Channel
from poller.config import Configuration
from poller.config.changes import Changes
from providers._base import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """What is in use now, by the name in config.yaml."""

    providers: Mapping[str, Provider]
    channels: Mapping[str, Channel]


def connect(configuration: Configuration) -> Connections:
    """Make every provider and channel. Reaches nothing; raises what their constructors raise."""
    return Connections(
        providers={name: make_provider(configuration, name) for name in configuration.providers},
        channels={name: make_channel(configuration, name) for name in configuration.channels},
    )


def reconnect(connections: Connections, configuration: Configuration, changes: Changes) -> Connections:
    """The connections of a new configuration; what did not change stays the same object."""
    new_providers = {*changes.providers.added, *changes.providers.changed, *changes.pipelines}
    new_channels = {*changes.channels.added, *changes.channels.changed}
    return Connections(
        providers={
            name: make_provider(configuration, name) if name in new_providers else connections.providers[name]
            for name in configuration.providers
        },
        channels={
            name: make_channel(configuration, name) if name in new_channels else connections.channels[name]
            for name in configuration.channels
        },
    )


def make_provider(configuration: Configuration, name: str) -> Provider:
    """The provider with this name, and the entries of `pipelines:` that it serves."""
    settings = configuration.providers[name]
    return configuration.provider_plugins[settings.kind].provider(name, settings, configuration.entries_of(name))


def make_channel(configuration: Configuration, name: str) -> Channel:
    """The channel with this name, with the template of its kind where config.yaml has one."""
    settings = configuration.channels[name]
    plugin, file = configuration.channel_plugins[settings.kind], configuration.templates.get(settings.kind)
    if file is None or plugin.template is None:
        return plugin.channel(name, settings)
    make: Callable[..., Channel] = plugin.channel  # who takes templates takes this argument
    return make(name, settings, template=plugin.template(file.path, file.text))
