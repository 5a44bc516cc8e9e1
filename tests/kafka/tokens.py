"""Tokens without a signature, for Kafka's validator of such."""

import base64
import json
import time


def unsecured(subject: str, lifetime: float) -> str:
    """`lifetime` in seconds from now, negative for one that has expired."""
    now = time.time()
    claims = {"sub": subject, "iat": min(now, now + lifetime) - 60, "exp": now + lifetime}
    return ".".join([_encoded({"alg": "none"}), _encoded(claims), ""])


def _encoded(part: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
