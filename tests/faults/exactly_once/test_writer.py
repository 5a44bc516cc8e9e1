import asyncio
import socket

from tests.faults.exactly_once.inputs import Numbering
from tests.faults.exactly_once.topology import Names
from tests.faults.exactly_once.writer import Writer


async def test_a_writer_ends_without_a_broker() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        writer = Writer(f"127.0.0.1:{nobody.getsockname()[1]}", Names("nobody"), Numbering(seed=1, rate=300))
        ends = asyncio.Event()
        writing = asyncio.create_task(writer.run(ends))
        await asyncio.wait({writing}, timeout=0.5)
        assert not writing.done()
        ends.set()
        async with asyncio.timeout(30):
            await writing
