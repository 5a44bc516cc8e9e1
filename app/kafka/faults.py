"""What went wrong on the way to a broker, told from what was seen: pure functions from an observation to a `Fault`.

Each fault names the step that fell, its cause in one word for machines and one phrase for people, the settings to look
at and the exit code.
"""

import errno
import socket
import ssl
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from app.errors import BrokerUnavailable, ConfigError, ExitCode, NoPermission, ServiceError
from app.settings.model import KafkaSettings


class Step(StrEnum):
    """In the order in which they are taken."""

    DNS = "DNS"
    TCP = "TCP"
    TLS = "TLS"
    VERSIONS = "ApiVersions"
    LOGIN = "SASL"
    METADATA = "metadata"
    TOPIC = "topic"
    PERMISSIONS = "permissions"


SERVERS = "APP_KAFKA__BOOTSTRAP_SERVERS"
PROTOCOL = "APP_KAFKA__SECURITY_PROTOCOL"
CAFILE = "APP_KAFKA__SSL_CAFILE"
CERTFILE = "APP_KAFKA__SSL_CERTFILE"
KEYFILE = "APP_KAFKA__SSL_KEYFILE"
MECHANISM = "APP_KAFKA__SASL_MECHANISM"
USERNAME = "APP_KAFKA__SASL_USERNAME"
PASSWORD = "APP_KAFKA__SASL_PASSWORD"  # noqa: S105  # a variable's name
TOKEN = "APP_KAFKA__OAUTH_TOKEN"  # noqa: S105  # a variable's name
TOKEN_URL = "APP_KAFKA__OAUTH_TOKEN_URL"  # noqa: S105  # a variable's name

Evidence = Literal["tls", "kafka", "http", "silent"]
"""What a second look found a port to speak, after it did not speak what was expected of it."""

_ERRORS: dict[ExitCode, type[ServiceError]] = {
    ExitCode.UNAVAILABLE: BrokerUnavailable,
    ExitCode.NO_PERMISSION: NoPermission,
    ExitCode.CONFIG: ConfigError,
}


@dataclass(frozen=True, slots=True)
class Fault:
    step: Step
    cause: str
    """For machines: one of a fixed set of words."""
    why: str
    look_at: tuple[str, ...] = ()
    """Variables."""
    code: ExitCode = ExitCode.UNAVAILABLE
    remedy: str = ""
    """A command or an action, where one is known."""

    @property
    def line(self) -> str:
        """`TLS failed: <why>; look at <variables>; <remedy>`"""
        advice = [f"look at {' and '.join(self.look_at)}"] if self.look_at else []
        return "; ".join([f"{self.step} failed: {self.why}", *advice, *([self.remedy] if self.remedy else [])])

    def error(self, text: str = "") -> ServiceError:
        """`text`: to say instead of this fault's own line."""
        return _ERRORS[self.code](text or self.line)


class StepFailed(Exception):
    def __init__(self, server: str, fault: Fault) -> None:
        super().__init__(f"{server}: {fault.line}")
        self.server = server
        self.fault = fault


class NotKafka(ValueError):
    """An answer that no Kafka gives. `http`: it is one of a web server."""

    def __init__(self, http: bool) -> None:
        super().__init__("an HTTP answer" if http else "not an answer of Kafka")
        self.http = http


def printable(text: str, limit: int = 300) -> str:
    """Text from the far side, fit for a terminal and a log: one line, no control characters, not too long."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def no_address(server: str) -> Fault:
    return Fault(Step.DNS, "no-such-host", f"{printable(server)!r} is not host:port", (SERVERS,))


def dns_fault(host: str, error: OSError) -> Fault:
    if isinstance(error, TimeoutError):
        return Fault(Step.DNS, "dns-silent", f"no answer to the question where {host} is", (SERVERS,))
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return Fault(
            Step.DNS,
            "dns-unavailable",
            f"the name {host} cannot be looked up now, the name service does not answer",
            (SERVERS,),
        )
    return Fault(Step.DNS, "no-such-host", f"no such host: {host}", (SERVERS,))


def tcp_fault(error: OSError) -> Fault:
    if isinstance(error, ConnectionRefusedError):
        return Fault(Step.TCP, "refused", "refused, nothing listens there", (SERVERS,))
    if isinstance(error, TimeoutError):
        return Fault(Step.TCP, "unreachable", "no answer: the host is off, or a firewall drops the packets", (SERVERS,))
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EADDRNOTAVAIL):
        return Fault(Step.TCP, "unreachable", "there is no way to that address from here", (SERVERS,))
    return Fault(Step.TCP, "unreachable", printable(error.strerror or str(error)), (SERVERS,))


_VERIFY: dict[int, tuple[str, str, tuple[str, ...], ExitCode]] = {
    9: (
        "certificate-not-yet-valid",
        "the broker's certificate is not valid yet; compare the clocks",
        (),
        ExitCode.UNAVAILABLE,
    ),
    10: (
        "certificate-expired",
        "the broker's certificate has expired; the broker needs a new one",
        (),
        ExitCode.UNAVAILABLE,
    ),
    62: ("wrong-host-name", "the broker's certificate is for another host name", (SERVERS,), ExitCode.CONFIG),
    64: ("wrong-host-name", "the broker's certificate is not for this IP address", (SERVERS,), ExitCode.CONFIG),
}
_ABOUT_OUR_CERTIFICATE = (
    "CERTIFICATE_REQUIRED",
    "BAD_CERTIFICATE",
    "CERTIFICATE_UNKNOWN",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REVOKED",
    "UNSUPPORTED_CERTIFICATE",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
    "DECRYPT_ERROR",
)


def verification_fault(error: ssl.SSLCertVerificationError, settings: KafkaSettings) -> Fault:
    known = _VERIFY.get(error.verify_code)
    if known is not None:
        cause, why, look_at, code = known
        return Fault(Step.TLS, cause, why, look_at, code)
    authorities = (
        "by APP_KAFKA__SSL_CAFILE" if settings.ssl_cafile else "by this machine, and APP_KAFKA__SSL_CAFILE is not set"
    )
    if error.verify_code in (2, 18, 19, 20, 21):
        why = f"the broker's certificate is signed by an authority that is not trusted {authorities}"
        return Fault(Step.TLS, "unknown-authority", why, (CAFILE,), ExitCode.CONFIG)
    why = f"the broker's certificate is not accepted: {printable(error.verify_message)}"
    return Fault(Step.TLS, "certificate-refused", why, (CAFILE,), ExitCode.CONFIG)


def our_certificate_fault(settings: KafkaSettings, alert: str = "") -> Fault:
    """The broker ended the handshake over the certificate that we showed, or did not show."""
    if settings.ssl_certfile is None:
        why = "the broker asks for a client certificate and none is set"
        return Fault(Step.TLS, "client-certificate-missing", why, (CERTFILE, KEYFILE), ExitCode.NO_PERMISSION)
    said = f" ({alert.lower().replace('_', ' ')})" if alert else ""
    why = f"the broker refuses our client certificate{said}"
    return Fault(Step.TLS, "client-certificate-refused", why, (CERTFILE, KEYFILE), ExitCode.NO_PERMISSION)


def not_this_protocol(step: Step, settings: KafkaSettings, evidence: Evidence | None) -> Fault | None:
    """The port answers, but speaks something else."""
    protocol = settings.security_protocol
    if evidence == "http":
        return Fault(step, "not-kafka", "a web server answers there, not a Kafka", (SERVERS,))
    if evidence == "kafka":
        plain = (
            protocol.replace("SASL_SSL", "SASL_PLAINTEXT").replace("SSL", "PLAINTEXT")
            if protocol == "SSL"
            else "SASL_PLAINTEXT"
        )
        why = f"the port speaks unencrypted Kafka, and {protocol} was asked for"
        return Fault(step, "plaintext-port", why, (PROTOCOL,), ExitCode.CONFIG, f"it may be {plain}, or another port")
    if evidence == "tls":
        secure = "SASL_SSL" if protocol.startswith("SASL") else "SSL"
        why = f"the port speaks TLS, and {protocol} was asked for"
        return Fault(step, "tls-port", why, (PROTOCOL,), ExitCode.CONFIG, f"it may be {secure}, or another port")
    return None


def tls_fault(error: Exception, settings: KafkaSettings, evidence: Evidence | None) -> Fault:
    if isinstance(error, ssl.SSLCertVerificationError):
        return verification_fault(error, settings)
    if isinstance(error, ssl.CertificateError):
        return Fault(
            Step.TLS,
            "wrong-host-name",
            "the broker's certificate is for another host name",
            (SERVERS,),
            ExitCode.CONFIG,
        )
    other = not_this_protocol(Step.TLS, settings, evidence)
    if other is not None:
        return other
    if isinstance(error, ssl.SSLError) and error.reason:
        if any(word in error.reason for word in _ABOUT_OUR_CERTIFICATE):
            return our_certificate_fault(settings, _alert(error.reason))
        if "PROTOCOL_VERSION" in error.reason or "UNSUPPORTED_PROTOCOL" in error.reason:
            return Fault(Step.TLS, "tls-too-old", "the broker speaks no TLS from version 1.2 on", (SERVERS,))
        return Fault(
            Step.TLS,
            "handshake-failed",
            f"the handshake failed: {printable(error.reason.lower().replace('_', ' '))}",
            (PROTOCOL,),
        )
    if isinstance(error, TimeoutError):
        return Fault(Step.TLS, "silent", "the port takes connections and never answers", (SERVERS, PROTOCOL))
    return Fault(Step.TLS, "closed", "the other side closed the connection during the handshake", (PROTOCOL, SERVERS))


def _alert(reason: str) -> str:
    return reason.rpartition("ALERT_")[2]


def versions_fault(error: Exception, settings: KafkaSettings, evidence: Evidence | None) -> Fault:
    """The first answer of a broker did not come, or was none."""
    if isinstance(error, ssl.SSLError):
        # With TLS 1.3 a broker looks at our certificate only when we think that the handshake is over.
        return tls_fault(error, settings, evidence)
    if isinstance(error, NotKafka) and error.http:
        evidence = "http"
    other = not_this_protocol(Step.VERSIONS, settings, evidence)
    if other is not None:
        return other
    if isinstance(error, NotKafka):
        return Fault(Step.VERSIONS, "not-kafka", "something answers there that is not a Kafka", (SERVERS,))
    if isinstance(error, TimeoutError):
        return Fault(Step.VERSIONS, "silent", "the port takes connections and never answers", (SERVERS, PROTOCOL))
    if settings.security_protocol.endswith("SSL") and settings.ssl_certfile is None:
        why = "the broker closed the connection after the TLS handshake; it may ask for a client certificate"
        return Fault(Step.VERSIONS, "closed", why, (CERTFILE, KEYFILE))
    why = "the connection was closed without an answer: not a Kafka, or one older than 0.10"
    return Fault(Step.VERSIONS, "closed", why, (SERVERS, PROTOCOL))


def versions_mismatch(
    name: str, spoken: tuple[int, int], offered: tuple[int, int] | None, *, needed: str = "1.1"
) -> Fault:
    """A request that we need, in versions that the broker does not take. `needed`: the first Kafka that does."""
    remedy = f"Kafka {needed} or later is needed"
    if offered is None:
        return Fault(
            Step.VERSIONS, "too-old", f"the broker is too old, it does not know {name}", (SERVERS,), remedy=remedy
        )
    if offered[1] < spoken[0]:
        why = f"the broker is too old: it takes {name} up to version {offered[1]}, we speak {spoken[0]} and later"
        return Fault(Step.VERSIONS, "too-old", why, (SERVERS,), remedy=remedy)
    why = f"the broker is too new: it takes {name} from version {offered[0]}, we speak up to {spoken[1]}"
    return Fault(Step.VERSIONS, "too-new", why, (SERVERS,))


def login_fault(mechanism: str, enabled: list[str]) -> Fault:
    why = f"the broker does not take {mechanism} here, but {', '.join(map(printable, enabled)) or 'nothing at all'}"
    return Fault(Step.LOGIN, "unknown-mechanism", why, (MECHANISM,), ExitCode.CONFIG)


def no_login_here(protocol: str) -> Fault:
    without = "SSL" if protocol == "SASL_SSL" else "PLAINTEXT"
    why = f"the port takes no login, and {protocol} was asked for"
    return Fault(
        Step.LOGIN, "no-login-here", why, (PROTOCOL,), ExitCode.CONFIG, f"it may be {without}, or another port"
    )


def refused_login(mechanism: str, message: str | None) -> Fault:
    said = f" ({printable(message)})" if message else ""
    if mechanism == "OAUTHBEARER":
        return Fault(
            Step.LOGIN,
            "token-refused",
            f"the broker refuses our token{said}",
            (TOKEN, TOKEN_URL),
            ExitCode.NO_PERMISSION,
        )
    why = f"wrong user name or password{said}"
    return Fault(Step.LOGIN, "wrong-password", why, (USERNAME, PASSWORD), ExitCode.NO_PERMISSION)


def closed_during(step: Step, error: Exception, settings: KafkaSettings) -> Fault:
    """After ApiVersions was answered."""
    if isinstance(error, TimeoutError):
        return Fault(step, "silent", "the broker stopped answering", (SERVERS,))
    if isinstance(error, ValueError):
        return Fault(step, "not-kafka", "the answer cannot be read", (SERVERS,))
    if step is Step.METADATA and not settings.security_protocol.startswith("SASL"):
        with_login = "SASL_SSL" if settings.security_protocol == "SSL" else "SASL_PLAINTEXT"
        why = f"the broker closed the connection; it asks for a login, and {settings.security_protocol} has none"
        return Fault(
            step, "login-needed", why, (PROTOCOL,), ExitCode.CONFIG, f"it may be {with_login}, or another port"
        )
    if step is Step.LOGIN:
        why = "the broker closed the connection during the login"
        return Fault(step, "closed", why, (MECHANISM, USERNAME, PASSWORD), ExitCode.NO_PERMISSION)
    return Fault(step, "closed", "the broker closed the connection", (SERVERS,))


def unreachable_broker(node: int, server: str, fault: Fault) -> Fault:
    """The bootstrap server works, the address that it sends its clients to does not."""
    why = f"broker {node} tells its clients to use {printable(server)}, where {fault.line.partition(';')[0]}"
    remedy = "the broker's advertised.listeners must be reachable from here"
    return Fault(Step.METADATA, "advertised-unreachable", why, (SERVERS,), fault.code, remedy)
