"""Text of others inside a card: cleaned, cut at 80 characters, and without meaning in Markdown or HTML.

A card's detail is GitHub Flavored Markdown that a client turns into HTML, well or badly, so both are disarmed: what
HTML knows becomes entities, and other ASCII punctuation gets a backslash, which GFM takes for the mark itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from features.errors import LONGEST_SEEN

if TYPE_CHECKING:
    from collections.abc import Sequence


_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "@": "(at)"}
"""``@`` would be made a link even behind a backslash."""

_HARMLESS = frozenset(" %,;/=")
"""Punctuation that begins nothing in the middle of a line."""

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]+")
"""Controls, marks without width and marks of direction, which let a text look like another."""


def cut(text: str, most: int = LONGEST_SEEN) -> str:
    r"""Return one line of at most so many characters.

    Examples
    --------
    >>> cut("a\nb"), len(cut("x" * 200))
    ('a b', 80)
    """
    line = " ".join(_UNSEEN.sub(" ", text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def foreign(text: str) -> str:
    r"""Return a text of others as it may stand in a card's detail.

    Examples
    --------
    >>> foreign("<b>|x|</b> [a](http://b)")
    '&lt;b&gt;\\|x\\|&lt;/b&gt; \\[a\\]\\(http\\://b\\)'
    """
    return disarmed(cut(text))


def disarmed(text: str) -> str:
    r"""Return a text of our own vocabularies as it may stand in a card's detail, whole.

    Examples
    --------
    >>> disarmed("nivolumab + ipilimumab")
    'nivolumab \\+ ipilimumab'
    """
    return "".join(map(_disarmed, text))


def _disarmed(mark: str) -> str:
    if mark in _ENTITIES:
        return _ENTITIES[mark]
    if mark.isascii() and not mark.isalnum() and mark not in _HARMLESS:
        return "\\" + mark
    return mark


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a GFM table; its cells are disarmed already."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
