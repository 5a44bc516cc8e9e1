"""What ends the streams role."""

from app.errors import ExitCode, ServiceError


class StreamsFailed(ServiceError):
    """A record, or the code of the topology, that cannot be gone on from."""

    code = ExitCode.BUG
