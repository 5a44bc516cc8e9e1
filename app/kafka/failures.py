"""Errors of the client, in the words of this service."""

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from app.errors import NoPermission, ServiceError

_REFUSED: dict[type[KafkaError], str] = {
    TopicAuthorizationFailedError: "may not {what}; grant this user the operation on the topic",
    GroupAuthorizationFailedError: "may not {what}; grant this user READ on the group",
    ClusterAuthorizationFailedError: "may not {what}; grant this user IDEMPOTENT_WRITE on the cluster",
    TransactionalIdAuthorizationFailed: (
        "may not {what}; grant this user WRITE on transactional ids that begin with APP_STREAMS__APPLICATION_ID"
    ),
    SaslAuthenticationFailed: "may not {what}: the login was refused; look at APP_KAFKA__SASL_USERNAME and …PASSWORD",
}

CLIENT_FAILED: tuple[type[Exception], ...] = (KafkaError, TimeoutError, OSError)
"""What a client raises that another attempt may mend; `fatal` knows the exceptions."""


def fatal(error: Exception, *, who: str, what: str) -> ServiceError | None:
    """What to end the service with, or None for an error that another attempt may mend."""
    for kind, text in _REFUSED.items():
        if isinstance(error, kind):
            return NoPermission(f"{who} {text.format(what=what)}")
    return None


def describe(error: BaseException) -> str:
    """One line with the name of its kind, which aiokafka's own texts hold and others do not."""
    name, text = type(error).__name__, " ".join(str(error).split())
    if name in text:
        return text
    return f"{name}: {text}" if text else name
