"""Restores until somebody kills it: `python -m tests.worker.restoring_child SERVER APPLICATION FOLDER`."""

import asyncio
import sys
from pathlib import Path

from app.state import take_slot
from app.streams.model import TaskId, TopicPartition
from app.worker.states import States
from tests.worker.changelogs import opened, restoring, topology, until


async def main(server: str, application: str, folder: Path) -> None:
    made = topology(application=application)
    with take_slot(folder, "app") as slot:
        async with States(made, slot) as states, restoring(server, states) as (restorer, reader):
            kept = await opened(made, states, TaskId(0, 0))
            log = TopicPartition(made.changelog("counts"), 0)
            done = restorer.restore(kept, await reader.ends([log]))
            await until(lambda: restorer.statistics().rows > 20_000, "some rows are applied", within=60)
            print("some", flush=True)
            await done
            print("all", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
