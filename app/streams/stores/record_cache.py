"""Java's record cache."""


class RecordCache:
    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
