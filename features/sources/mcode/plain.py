"""Plain JSON, read without trust: what is asked for comes back, or nothing; never an error, never another type.

FHIR from the field has lists where objects belong, numbers as text, nulls and placeholders. Every reader goes through
these few functions, so that no JSON can make the extractor fail.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

LONGEST_TEXT = 500
"""Characters of a text that is read at all; codes, names and notations are shorter, narratives are not read."""

EMPTY: Json = {}


def record(value: object) -> Json:
    """Return an object, or an empty one.

    Examples
    --------
    >>> record({"a": 1}), record([1]), record(None)
    ({'a': 1}, {}, {})
    """
    return value if isinstance(value, dict) else EMPTY


def records(value: object) -> list[Json]:
    """Return the objects of a list; one object alone counts as a list of one, anything else as none.

    Examples
    --------
    >>> records([{"a": 1}, None, "x"]), records({"a": 1}), records("x")
    ([{'a': 1}], [{'a': 1}], [])
    """
    if isinstance(value, list):
        return [item for item in value if isinstance(item, dict)] if value else []
    return [value] if isinstance(value, dict) else []


def text(value: object) -> str:
    """Return a text without outer white space, or "" when it is none or too long to be one.

    Examples
    --------
    >>> text(" final "), text(3), text(None)
    ('final', '', '')
    """
    return value.strip() if isinstance(value, str) and len(value) <= LONGEST_TEXT else ""


def texts(value: object) -> list[str]:
    """Return the texts of a list, or of a text alone."""
    items = value if isinstance(value, list) else [value]
    return [found for item in items if (found := text(item))]


def number(value: object) -> float | None:
    """Return a finite JSON number; text that looks like a number is none, and neither is true.

    Examples
    --------
    >>> number(57.1), number("57.1"), number(True), number(10**400)
    (57.1, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def value_of(holder: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the kind and the content of ``value[x]``: ``("Quantity", {...})``; ("", None) when there is none.

    Two values at once are not FHIR, and neither is taken: the kind is then ``several``.
    """
    found = [(key[5:], item) for key, item in holder.items() if key[:5] == "value" and key[5:6].isupper()]
    if len(found) == 1:
        return found[0] if found[0][1] is not None else ("", None)
    found = [one for one in found if one[1] is not None]
    if not found:
        return "", None
    return found[0] if len(found) == 1 else ("several", None)
