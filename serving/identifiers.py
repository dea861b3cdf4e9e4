"""Identifiers of answers and records: UUID version 7, in the order of time, so that an index grows at its end."""

from __future__ import annotations

import os
import time
import uuid


def new_id() -> str:
    """Return a new UUIDv7 (RFC 9562, 5.7): 48 bits of milliseconds since 1970, 74 random bits.

    Examples
    --------
    >>> one = uuid.UUID(new_id())
    >>> one.version, one.variant == uuid.RFC_4122
    (7, True)
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    high = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64
    return str(uuid.UUID(int=high | 0b10 << 62 | random & 0x3FFF_FFFF_FFFF_FFFF))
