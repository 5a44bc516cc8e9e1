"""The types of single settings: what a value may be, and the words a user gets when it is not."""

import ipaddress
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_ADDRESS_FIRST = re.compile(r"""\s*\[[^\[\]"',]*:""")  # `[::1]:9092, …` is no JSON
_NOT_A_LIST = 'must be a list such as a,b or ["a", "b"]'


def refused(text: str) -> PydanticCustomError:
    """A fault whose whole message is `text`. It never quotes the value: that is for the reporter, who knows secrets."""
    return PydanticCustomError("setting", "{text}", {"text": text})


def split(value: str) -> list[object]:
    """The entries of a list that is written as `a, b` or as JSON `["a", "b"]`."""
    if not value.strip():
        return []
    if not value.lstrip().startswith("[") or _ADDRESS_FIRST.match(value):
        return [entry.strip() for entry in value.split(",")]
    try:
        parsed: list[object] = json.loads(value)
    except (ValueError, RecursionError):
        raise refused(_NOT_A_LIST) from None
    return parsed


def _entries(value: object) -> object:
    entries = split(value) if isinstance(value, str) else value
    if isinstance(entries, list | tuple) and any(isinstance(entry, str) and not entry.strip() for entry in entries):
        raise refused("has an empty entry")
    return entries


def _some(values: tuple[str, ...]) -> tuple[str, ...]:
    """Not pydantic's min_length: that counts valid entries only, and adds a second fault to wrong ones."""
    if not values:
        raise refused("is empty")
    return values


def _once(values: tuple[str, ...]) -> tuple[str, ...]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise refused(f"names {value} twice")
    return values


def _spelled(spell: Callable[[str], str]) -> BeforeValidator:
    """Accept other spellings of a word: `sasl_ssl`, `SCRAM_SHA_512`."""
    return BeforeValidator(lambda value: spell(value.strip()) if isinstance(value, str) else value)


def _copies(value: int) -> int:
    if value != -1 and not 1 <= value <= 100:
        raise refused("must be from 1 to 100, or -1 for the broker's default")
    return value


def _text(value: str) -> str:
    if not value.strip():
        raise refused("is empty")
    if not value.isprintable():
        raise refused("must be one line of printable characters")
    return value


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    try:
        text.encode()
    except UnicodeEncodeError:
        raise refused("must be UTF-8 text") from None
    if any(letter < " " or letter == "\x7f" for letter in text):
        raise refused("must be one line without control characters")
    return value


def _topic(value: str) -> str:
    """Kafka's rules for a topic name (org.apache.kafka.common.internals.Topic)."""
    if not re.fullmatch(r"[a-zA-Z0-9._-]+", value) or value in (".", ".."):
        raise refused("must have letters, digits, '.', '_' and '-' only")
    if len(value) > 249:
        raise refused("must have at most 249 characters")
    return value


def _application_id(value: str) -> str:
    _topic(value)
    if len(value) > 120:
        raise refused("must have at most 120 characters, as the names of internal topics begin with it")
    return value


def _host(value: str) -> str:
    """A host name or an IP address without brackets."""
    if ":" in value:
        try:
            ipaddress.IPv6Address(value)
        except ValueError:
            raise refused("must be a host name or an address, without a port or a scheme") from None
    elif re.fullmatch(r"[0-9.]+", value):
        try:
            ipaddress.IPv4Address(value)
        except ValueError:
            raise refused("must be a host name or an address") from None
    elif len(value) > 253 or not all(_LABEL.fullmatch(label) for label in value.removesuffix(".").split(".")):
        raise refused("must be a host name or an address")
    return value


def address(server: str) -> tuple[str, int]:
    """`host:port` or `[IPv6]:port` → host and port."""
    if "://" in server:
        raise refused("must be host:port, without a scheme")
    if "@" in server:
        raise refused("must be host:port, without a user name")
    bracketed = re.fullmatch(r"\[([^\[\]]*)\](?::(.*))?", server)
    host, port = bracketed.groups() if bracketed else (server.partition(":")[0], server.partition(":")[2] or None)
    if not bracketed and server.count(":") > 1:
        raise refused("must be host:port; an IPv6 address stands in brackets, as in [::1]:9092")
    if port is None:
        raise refused("must be host:port, but has no port; Kafka's usual one is 9092")
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65_535:
        raise refused("must be host:port with a port from 1 to 65535")
    try:
        if bracketed:
            ipaddress.IPv6Address(host)
        else:
            _host(host)
    except (ValueError, PydanticCustomError):
        raise refused("must be host:port, but its host is neither a name nor an address") from None
    return host, int(port)


def _server(value: str) -> str:
    address(value)
    return value


def _url(value: str) -> str:
    wrong = refused("must be a URL such as https://login.example.com/token, without a user name or a fragment")
    if not value.isprintable() or " " in value:
        raise wrong
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or parts.fragment:
        raise wrong
    return value


def _token(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not re.fullmatch(r"[!-~]+", text):  # what a header may hold, without quoting
        raise refused("must have visible ASCII characters only")
    if not 16 <= len(text) <= 1_024:
        raise refused("must have 16 to 1024 characters")
    return value


def _own_url(value: str) -> str:
    """`http://host:port`, as others on the network reach this process."""
    scheme, _, rest = value.removesuffix("/").partition("://")
    try:
        host, port = address(rest)
    except PydanticCustomError:
        host = ""
    if scheme.lower() != "http" or not host:
        raise refused("must be http://host:port, such as http://10.0.0.7:8080")
    if host in ("0.0.0.0", "::"):  # noqa: S104  # recognised, not listened on
        raise refused("must name this machine; the address that stands for all of them leads nowhere")
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _function(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", value):
        raise refused("must be module:function, such as app.pipeline:topology")
    return value


def _path(value: object) -> object:
    if isinstance(value, str):
        if not value.strip():
            raise refused("is empty")
        if not value.isprintable():
            raise refused("must be a path of printable characters")
        try:
            return Path(value).expanduser()
        except RuntimeError:  # ~name of a user that is not there
            raise refused("begins with the home directory of an unknown user") from None
    return value


Role = Annotated[Literal["a", "b", "c", "streams"], _spelled(str.lower)]
SecurityProtocol = Annotated[
    Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], _spelled(lambda word: word.upper().replace("-", "_"))
]
SaslMechanism = Annotated[
    Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"],
    _spelled(lambda word: word.upper().replace("_", "-")),
]
Guarantee = Annotated[
    Literal["exactly_once_v2", "at_least_once"], _spelled(lambda word: word.lower().replace("-", "_"))
]
StoreKind = Annotated[Literal["disk", "memory"], _spelled(str.lower)]
OnError = Annotated[Literal["dead_letter", "fail"], _spelled(lambda word: word.lower().replace("-", "_"))]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], _spelled(str.upper)]
LogFormat = Annotated[Literal["auto", "pretty", "json"], _spelled(str.lower)]

Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
Milliseconds = Annotated[int, Field(ge=1, le=2**31 - 1)]
Copies = Annotated[int, AfterValidator(_copies)]
Text = Annotated[str, AfterValidator(_text)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
TopicName = Annotated[str, AfterValidator(_topic)]
InstanceId = Annotated[str, AfterValidator(_topic)]  # Kafka has the same rules for a group.instance.id
Token = Annotated[SecretStr, AfterValidator(_token)]
OwnUrl = Annotated[str, AfterValidator(_own_url)]
ApplicationId = Annotated[str, AfterValidator(_application_id)]
Host = Annotated[str, AfterValidator(_host)]
Server = Annotated[str, AfterValidator(_server)]
Url = Annotated[str, AfterValidator(_url)]
Function = Annotated[str, AfterValidator(_function)]
File = Annotated[Path, BeforeValidator(_path)]

Entries = BeforeValidator(_entries)
"""For tuples: CSV or JSON."""
Some = AfterValidator(_some)
"""For tuples: at least one entry."""
Once = AfterValidator(_once)
"""For tuples: no entry twice."""
