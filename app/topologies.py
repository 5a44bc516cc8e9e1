"""`APP_TOPOLOGY=module:function` → a built topology."""

import importlib
import inspect
import logging
import os
import sys
from collections.abc import Callable

from app.errors import ConfigError
from app.settings import SettingsTree
from app.streams import Builder, ErrorContext, Row, StreamsConfig, Topology, TopologyError, Verdict, fail

log = logging.getLogger(__name__)

VARIABLE = "APP_TOPOLOGY"


def build(settings: SettingsTree) -> Topology:
    """Raises ConfigError: a line for a name that leads nowhere, a line for each fault of the topology itself."""
    write = _function(settings.topology)
    builder = Builder(config(settings))
    try:
        # The topic of the numbers has a setting of its own, which a topology over them has to follow.
        named = {"topic": settings.kafka.topic} if "topic" in inspect.signature(write).parameters else {}
        write(builder, **named)
        return builder.build()
    except TopologyError as error:
        raise ConfigError(f"{VARIABLE}: {settings.topology} cannot work: {error}") from error


def config(settings: SettingsTree) -> StreamsConfig:
    """What the settings say of the topology (N4)."""
    streams = settings.streams
    handler = keep if streams.errors == "dead_letter" else fail
    return StreamsConfig(
        application_id=streams.application_id,
        deserialization_handler=handler,
        processing_handler=handler,
        production_handler=handler,
        dead_letter_topic=settings.streams_dead_letter_topic,
        persistent_stores=streams.store == "disk",
        max_task_idle=streams.max_task_idle_ms,
        explicit_names=streams.explicit_names,
    )


def keep(error: ErrorContext, cause: BaseException, dead_letters: tuple[Row, ...]) -> Verdict:
    """Skip the record; it is in the dead-letter topic, and the log says so."""
    log.warning(
        "%s-%s offset %d could not be handled in %s (%s): %s: %s; it is kept in %s",
        error.topic,
        error.partition,
        error.offset,
        error.node,
        error.stage.value,
        type(cause).__name__,
        cause,
        dead_letters[0].topic if dead_letters else "no topic",
    )
    return Verdict(True, dead_letters)


def _function(name: str) -> Callable[..., object]:
    module, _, function = name.partition(":")
    # The user's module lies where the command is typed, which a console script does not look at by itself.
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # a package that the user's module needs: the traceback tells which line asked for it
        raise ConfigError(f"{VARIABLE}: there is no module {error.name} (of {name!r})") from error
    except AttributeError as error:
        raise ConfigError(f"{VARIABLE}: {module} has no {function} (of {name!r})") from error
    if not callable(found):
        raise ConfigError(f"{VARIABLE}: {name} is not a function that takes a Builder")
    return found  # type: ignore[no-any-return]  # a callable, which is all that can be known
