"""Makes hostile text harmless to show: in a log, in a terminal, on the page."""

import re

# Controls move the cursor or start escape sequences; separators forge lines; bidirectional marks reorder what the
# reader sees; lone surrogates cannot be encoded at all. The two joiners of scripts and emoji (200C, 200D) may stay.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str, limit: int = 4096) -> str:
    """The text on one line, with what hides or acts written out (`\\x1b`); cut, saying so, at `limit` characters."""
    rest = len(text) - limit
    if rest > 0:
        text = text[:limit]
    shown = _HIDDEN.sub(_written_out, text)
    return f"{shown}… ({rest} more characters)" if rest > 0 else shown


def _written_out(match: re.Match[str]) -> str:
    if short := _SHORT.get(match[0]):
        return short
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
