"""Keys as text, by the serde of the store.

utf8       the text itself                      int32, int64   digits: 42
json       JSON: "ann", {"id": 1}               float64        digits: 0.5
raw        hexadecimal bytes: 00ff              uuid           as it is written
windowed   JSON: {"key": …, "start": ms, "end": ms}, the key of the window as its own serde has it (end: sessions)
others     only as bytes, see below

Any key can be given as the bytes that are in the store, in hexadecimal or base64 (`KeyForm`).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable
from typing import Any, Final, Literal
from uuid import UUID

from app.streams import serdes
from app.streams.model import Windowed
from app.streams.queries.refusals import InvalidQuestion
from app.streams.serdes import SessionWindowedSerde, WindowedSerde

KeyForm = Literal["text", "hex", "base64"]

_JSON_SERDE: Final = type(serdes.json())
_SUFFIX = {WindowedSerde: 8, SessionWindowedSerde: 16}


class Keys:
    """The keys of one store. subject: the topic name its serdes are told."""

    __slots__ = ("_deserialize", "_inner", "_serde", "_serialize")

    def __init__(self, serde: Any, subject: str) -> None:
        self._serde = serde
        self._serialize: Callable[[Any], bytes] = serde.serializer(subject)
        self._deserialize: Callable[[bytes], Any] = serde.deserializer(subject)
        is_windowed = isinstance(serde, WindowedSerde | SessionWindowedSerde)
        self._inner = Keys(serde.inner, subject) if is_windowed else None

    def read(self, text: str, form: KeyForm = "text") -> bytes:
        """The serialized key. Raises InvalidQuestion that says what is wanted."""
        try:
            match form:
                case "hex":
                    return bytes.fromhex(text)
                case "base64":
                    return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
                case _:
                    return self._serialize(self._value(text))
        except InvalidQuestion:
            raise
        except (ValueError, binascii.Error) as cause:
            raise InvalidQuestion(f"{text!r} is not the {form} of bytes: {cause}") from cause
        except Exception as cause:
            raise InvalidQuestion(f"the keys are {self._serde!r}, and {text!r} is none: {cause}") from cause

    def read_prefix(self, text: str, form: KeyForm = "text") -> bytes:
        """The first bytes of serialized keys: a part of a text or of bytes; of other keys only bytes have parts."""
        if form == "text" and self._serde not in (serdes.utf8, serdes.raw):
            raise InvalidQuestion(
                f"keys of {self._serde!r} have no prefix as text", "give its bytes with key_form=hex or base64"
            )
        return self.read(text, form)

    def shown(self, data: bytes) -> Any:
        """A key as a JSON value: what `read` takes, or for JSON and windowed keys the value that it parses. A key that
        its serde cannot read, or that has no text, is shown as {"hex": …}."""
        try:
            key = self._deserialize(data)
        except Exception:  # noqa: BLE001  # any serde; the bytes say it
            return {"hex": data.hex()}
        if self._inner is not None:
            return {"key": self._inner.shown(self.routed(data)), "start": key.start, "end": key.end}
        if self._serde is serdes.raw:
            return data.hex()
        if self._serde is serdes.uuid:
            return str(key)
        if isinstance(key, float) and not math.isfinite(key):
            return str(key)  # JSON has no number for it
        if self._has_text():
            return json.loads(data) if isinstance(self._serde, _JSON_SERDE) else key
        return {"hex": data.hex()}

    def routed(self, data: bytes) -> bytes:
        """The bytes that choose the partition: of a windowed key those of the key inside."""
        return data if self._inner is None else data[: -_SUFFIX[type(self._serde)]]

    def value(self, data: bytes) -> Any:
        """The key itself, as a processor has it."""
        return self._deserialize(data)

    def data(self, key: Any) -> bytes:
        """The inverse."""
        return self._serialize(key)

    def _has_text(self) -> bool:
        plain = (serdes.utf8, serdes.raw, serdes.int32, serdes.int64, serdes.float64, serdes.uuid)
        return self._serde in plain or isinstance(self._serde, _JSON_SERDE)

    def _value(self, text: str) -> Any:
        serde = self._serde
        if serde is serdes.utf8:
            return text
        if self._inner is not None:
            return self._window(text, self._inner)
        if not self._has_text():
            raise InvalidQuestion(
                f"keys of {serde!r} cannot be written as text", "give the bytes with key_form=hex or base64"
            )
        if isinstance(serde, _JSON_SERDE):
            return self._json(text)
        try:
            if serde is serdes.raw:
                return bytes.fromhex(text)
            if serde is serdes.uuid:
                return UUID(text)
            number: int | float = float(text) if serde is serdes.float64 else int(text)
            self._serialize(number)
        except Exception as cause:
            raise InvalidQuestion(f"the keys are {serde!r}, and {text!r} is none: {cause}") from cause
        return number

    def _json(self, text: str) -> Any:
        try:
            return self._deserialize(text.encode())
        except Exception as cause:
            raise InvalidQuestion(
                f"the keys are {self._serde!r}, and {text!r} is none: {cause}",
                f"a text is written in quotes, as {json.dumps(text)}",
            ) from cause

    def _window(self, text: str, inner: Keys) -> Any:
        try:
            found = json.loads(text)
            start, end = found["start"], found.get("end", 0)
            if type(start) is not int or type(end) is not int:
                raise TypeError("times are whole milliseconds")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as cause:
            raise InvalidQuestion(
                f"the keys are {self._serde!r}, and {text!r} is none: {cause}",
                'a windowed key is written {"key": …, "start": ms, "end": ms}',
            ) from cause
        key = found.get("key")
        written = key if isinstance(key, str) and inner._serde is not _JSON_SERDE else json.dumps(key)
        return Windowed(inner.value(inner.read(written)), start, end)
