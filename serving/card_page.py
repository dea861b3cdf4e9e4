"""The model cards as a page, for people: whatever the card holds, as nested tables. Without scripts."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEEPEST = 8
"""Levels of nesting that are drawn; a card has four."""

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1a1a1a;
  background: #fff; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid #ccc; vertical-align: top; } th { font-weight: 600; width: 14rem; }
.synthetic { color: #8a0f5c; font-weight: bold; }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #16181c; } .synthetic { color: #ff8fd0; } }
"""


def card_page(cards: Sequence[Mapping[str, Any]], intended_use: str) -> str:
    """Return the page as HTML; every text is escaped.

    Examples
    --------
    >>> card = {"family": "checkpoint", "model": {"name": "<b>", "version": "1", "synthetic": True}, "card": {}}
    >>> "&lt;b&gt;" in card_page([card], "For research use only.")
    True
    """
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>oncorespond: model cards</title><style>{_STYLE}</style></head><body>
<h1>Model cards</h1>
<p><strong>{escape(intended_use)}</strong></p>
<p>Toxicity is not estimated; a high number is no recommendation.</p>
{"".join(_card(one) for one in cards)}
</body></html>"""


def _card(one: Mapping[str, Any]) -> str:
    model = one["model"]
    mark = ' <span class="synthetic">SYNTHETIC</span>' if model["synthetic"] else ""
    title = f"{escape(str(model['name']))}, version {escape(str(model['version']))}{mark}"
    return f"<section><h2>{title}</h2>{_shown({**model, **one['card']}, 0)}</section>"


def _shown(value: Any, depth: int) -> str:
    """Return a JSON value as HTML: objects as tables, lists as lists, the rest as text."""
    if isinstance(value, dict) and value and depth < DEEPEST:
        rows = (f"<tr><th>{_words(name)}</th><td>{_shown(one, depth + 1)}</td></tr>" for name, one in value.items())
        return f"<table>{''.join(rows)}</table>"
    if isinstance(value, (list, tuple)) and value and depth < DEEPEST:
        return f"<ul>{''.join(f'<li>{_shown(one, depth + 1)}</li>' for one in value)}</ul>"
    return escape(_text(value))


def _words(name: object) -> str:
    return escape(str(name).replace("_", " "))


def _text(value: object) -> str:
    if value is None or value in ({}, [], ()):
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
