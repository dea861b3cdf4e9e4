"""JSON read strictly: no NaN, and no key twice, of which one value would be dropped in silence."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from pydantic_core import from_json

from features.errors import Refusal, seen_text


class DuplicateKey(Refusal):
    """An object of the text names a key twice, so that one of the two values would be dropped."""

    code: ClassVar[str] = "duplicate_key"
    http_status = 400


def strict_json(text: bytes) -> Any:
    """Return what a JSON text holds.

    Parameters
    ----------
    text
        UTF-8.

    Raises
    ------
    ValueError
        When it is not JSON, or holds NaN or an infinity; the message ends in the place.
    DuplicateKey
        When an object of it names a key twice.

    Examples
    --------
    >>> strict_json(b'{"histology": "LUAD"}')
    {'histology': 'LUAD'}
    >>> strict_json(b'{"ecog": 1, "ecog": 2}')
    Traceback (most recent call last):
    features.strict_json.DuplicateKey: the key 'ecog' stands twice in one object. Send each key once.
    """
    found = from_json(text, allow_inf_nan=False)
    if isinstance(found, dict | list):
        json.loads(text, object_pairs_hook=_unique)  # read again: the quick reader does not tell
    return found


def _unique(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise DuplicateKey(f"the key {seen_text(name)} stands twice in one object", way_out="Send each key once.")
        seen.add(name)
