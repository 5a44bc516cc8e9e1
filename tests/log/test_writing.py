"""A log whose reader does not read."""

import io
import threading

from app.log.writing import Writer


class Stuck(io.StringIO):
    """A pipe that is full until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.free = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        self.free.wait(10)
        return super().write(text)


def test_a_full_pipe_stops_nobody_and_the_loss_is_told() -> None:
    stream = Stuck()
    writer = Writer(stream, lambda lost: f"{lost} lost", most_lines=10)
    writer.write("first")
    assert stream.entered.wait(10)
    for n in range(25):
        writer.write(str(n))
    assert not writer.flush(0.01)
    stream.free.set()
    writer.close(10)
    assert stream.getvalue().split("\n") == ["first", *map(str, range(10)), "15 lost", ""]


def test_a_closed_stream_stops_nobody() -> None:
    stream = io.StringIO()
    writer = Writer(stream, str)
    stream.close()
    writer.write("into nothing")
    assert writer.flush(10)
    writer.close(10)
