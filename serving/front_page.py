"""The page at ``/`` and ``/docs``: what is served, how to ask, what it is not for. Without scripts."""

from __future__ import annotations

import json
from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 52rem; padding: 0 1rem; color: #1a1a1a;
  background: #fff; }
pre { background: #f3f4f6; padding: 1rem; white-space: pre-wrap; overflow-wrap: anywhere;
  border-radius: 4px; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid #ccc; vertical-align: top; }
.synthetic { color: #8a0f5c; font-weight: bold; }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #16181c; } pre { background: #24272d; } }
"""


def front_page(
    document: dict[str, Any], models: list[dict[str, Any]], intended_use: str, example: dict[str, Any]
) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    document
        The OpenAPI document.
    models
        What is served, as ``GET /model`` says it; empty when nothing is.
    intended_use
        The one sentence.
    example
        A case for the example request.
    """
    said = "-H 'content-type: application/json' -H \"authorization: Bearer $TOKEN\""
    request = f"curl -s localhost:3000/predict {said} -d '{json.dumps(example)}'"
    routes = "".join(
        f"<tr><td><code>{method.upper()} {escape(path)}</code></td><td>{escape(route.get('description', ''))}</td></tr>"
        for path, methods in document["paths"].items()
        for method, route in methods.items()
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>oncorespond</title><style>{_STYLE}</style></head><body>
<h1>oncorespond</h1>
<p>How likely is an objective response to this therapy, for this patient, at this decision; how sure, and why.</p>
<p><strong>{escape(intended_use)}</strong></p>
<h2>Served</h2><ul>{"".join(_served(model) for model in models) or "<li>no model is ready</li>"}</ul>
<p>For people: <a href="/model/card">what the models are for and how they were judged</a>, and the
<a href="/audit">pages for auditors</a>.</p>
<h2>Routes</h2><table>{routes}</table>
<p>Machine-readable: <a href="/openapi.json">/openapi.json</a></p>
<h2>An example</h2><pre>{escape(request)}</pre>
</body></html>"""


def _served(model: dict[str, Any]) -> str:
    mark = ' <span class="synthetic">SYNTHETIC</span>' if model["synthetic"] else ""
    name, version = escape(str(model["name"])), escape(str(model["version"]))
    return f"<li>{name}, version {version}, trained on {escape(str(model['trained_on']))}{mark}</li>"
