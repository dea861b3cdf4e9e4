"""Text that came from outside (FHIR displays, names, comments), made fit to be shown: cleaned and cut.

Escaping is Jinja's, which is switched on for every template; nothing here returns markup.
"""

from __future__ import annotations

import unicodedata

MOST_SHOWN = 120
"""Characters of a foreign text that a page shows; the rest is an ellipsis."""

_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, invisible format characters (text direction among them), surrogates, private use, unassigned, breaks."""


def foreign(text: object, most: int = MOST_SHOWN) -> str:
    """Return a foreign text in one line: no controls, no invisible or direction-changing characters, cut.

    Examples
    --------
    >>> foreign("a" + chr(0x202E) + "gpj.exe" + chr(0) + " b")
    'a gpj.exe b'
    >>> foreign("x" * 200, most=5)
    'xxxx…'
    """
    written = "" if text is None else str(text)[: 4 * most]
    clean = "".join(" " if unicodedata.category(one) in _HARMFUL else one for one in written)
    line = " ".join(clean.split())
    return line if len(line) <= most else line[: most - 1] + "…"
