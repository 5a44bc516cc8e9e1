import io

from app.broker.progress import Progress, bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_fills() -> None:
    assert bar(0, 45_000_000) == "  [" + "." * 30 + "]   0.0 of 45.0 MB"
    assert bar(22_500_000, 45_000_000) == "  [" + "#" * 15 + "." * 15 + "]  22.5 of 45.0 MB"
    assert bar(50_000_000, 45_000_000).count("#") == 30


def fetch_on(stream: io.StringIO) -> list[str]:
    said: list[str] = []
    progress = Progress("Apache Kafka", said.append, stream)
    with progress.running(2_000_000):
        progress.add(1_000_000)
        progress.add(1_000_000)
    return said


def test_a_terminal_sees_a_bar_that_is_taken_away() -> None:
    terminal = Terminal()
    assert fetch_on(terminal)[0] == "fetching Apache Kafka, 2.0 MB, this once"
    assert "1.0 of 2.0 MB" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\033[K")


def test_elsewhere_there_are_lines_only() -> None:
    pipe = io.StringIO()
    said = fetch_on(pipe)
    assert pipe.getvalue() == ""
    assert said[1].startswith("fetched 2.0 MB in ")
