"""`python -m app topology [--mermaid]`: the stream topology, as Kafka Streams describes it or as a drawing."""

import sys

from app.errors import ExitCode
from app.settings import Loaded
from app.streams import describe
from app.streams.topology.mermaid import mermaid as draw
from app.topologies import build


def run(loaded: Loaded, *, mermaid: bool = False) -> ExitCode:
    topology = build(loaded.settings)
    sys.stdout.write(draw(topology) if mermaid else f"{describe(topology).rstrip()}\n")
    sys.stdout.flush()
    return ExitCode.OK
