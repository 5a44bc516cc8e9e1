"""A family of seeded random sequences: one topology and one mix of events per seed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.conformance.scenarios.build import Json, Steps, scenario
from tests.conformance.scenarios.draw import Draw, Mix, draw_events

SEEDS = 30


@dataclass(frozen=True)
class Plan:
    """What one seed plays."""

    steps: Steps
    mix: Mix = field(default_factory=Mix)
    config: Json = field(default_factory=dict)
    events: list[Json] | None = None
    """Given where the events are no plain records, else drawn from the mix."""


@dataclass(frozen=True)
class Family:
    """`build` makes the plan of a seed; every random choice comes from the draw it is given."""

    features: str
    about: str
    build: Callable[[Draw, int], Plan]

    def scenarios(self, name: str) -> Iterator[Json]:
        for seed in range(SEEDS):
            draw = Draw(f"{name}-{seed}")
            plan = self.build(draw, seed)
            events = plan.events or draw_events(draw, plan.mix)
            yield scenario(f"{name}-{seed}", self.features, self.about, plan.steps, events, **plan.config)


def stores(seed: int) -> Json:
    """Every other seed keeps the DSL's stores in memory, where expiry differs."""
    return {"store": "in_memory"} if seed % 2 else {}
