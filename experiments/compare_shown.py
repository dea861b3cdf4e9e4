"""A comparison of runs on the terminal and as one self-contained page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined
from rich.box import SIMPLE_HEAD
from rich.table import Table

from models.intended_use import INTENDED_USE
from training.figures_forest import METRIC_TITLES
from training.further import in_words

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from experiments.compare import Compared, Comparison
    from models.bootstrap import Estimate

TITLES = {**METRIC_TITLES, "brier": "Brier", "log_loss": "log loss", "citl": "CITL", "slope": "slope"}

LONGEST_SETTING = 60
"""Characters of a setting on the terminal; the page and the JSON have it whole."""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Runs compared</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; color: #111; max-width: 1080px; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.5rem; } table { border-collapse: collapse; font-size: 13px; margin: .8rem 0; }
  caption { text-align: left; font-weight: 600; padding: .3rem 0; }
  th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }
  th:first-child, td:first-child { text-align: left; } .apart { font-weight: 600; }
  .long { overflow-wrap: anywhere; }
  .notice { border-left: 4px solid #0072B2; padding: .4rem .8rem; background: #f4f8fb; }
</style></head><body>
<h1>Runs compared on the same patients</h1>
<p class="notice">{{ use }}{% if synthetic %} <strong>SYNTHETIC: nothing here is about patients.</strong>{% endif %}</p>
<ol>{% for run in runs %}<li>{{ run }}</li>{% endfor %}</ol>
{% if differing %}<table><caption>What the runs differ in</caption>
<tr><th>setting</th>{% for run in runs %}<th>run {{ loop.index }}</th>{% endfor %}</tr>
{% for name, values in differing %}<tr><td>{{ name }}</td>
{% for one in values %}<td class="long">{{ one }}</td>{% endfor %}</tr>
{% endfor %}</table>{% else %}<p>The runs were made with the same settings, data and code.</p>{% endif %}
<p>Values with 95% intervals; differences are paired (the same bootstrap patients in every run), each run less run 1.
Bold: the interval leaves out zero.</p>
{% for caption, rows in groups %}
<table><caption>{{ caption }}</caption>
<tr><th>metric</th>{% for run in runs %}<th>run {{ loop.index }}</th>{% endfor %}
{% for run in runs[1:] %}<th>{{ loop.index + 1 }} less 1</th>{% endfor %}</tr>
{% for name, values, differences in rows %}
<tr><td>{{ name }}</td>{% for one in values %}<td>{{ one }}</td>{% endfor %}
{% for one, apart in differences %}<td{% if apart %} class="apart"{% endif %}>{{ one }}</td>{% endfor %}</tr>
{% endfor %}</table>
{% endfor %}
</body></html>
"""


def write_page(found: Comparison, place: Path) -> Path:
    """Write the comparison as one HTML file, no network."""
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(PAGE)
    groups = [
        (caption, [(TITLES[row.metric], [in_words(one) for one in row.values], _marked(row)) for row in rows])
        for caption, rows in _groups(found).items()
    ]
    page = template.render(
        use=INTENDED_USE, synthetic=found.synthetic, runs=found.runs, differing=found.differing, groups=groups
    )
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(page, encoding="utf-8")
    return place


def _marked(row: Compared) -> list[tuple[str, bool]]:
    return [(in_words(one), is_apart(one)) for one in row.differences]


def is_apart(one: Estimate) -> bool:
    """Whether the interval of a difference leaves out zero; False where there is none.

    Examples
    --------
    >>> from models.bootstrap import Estimate
    >>> is_apart(Estimate(0.1, 0.05, 0.15)), is_apart(Estimate(0.1, -0.05, 0.25))
    (True, False)
    """
    return bool(one.low > 0 or one.high < 0)


def _groups(found: Comparison) -> dict[str, list[Compared]]:
    groups: dict[str, list[Compared]] = {}
    for row in found.rows:
        left_out = found.left_out.get((row.scene, row.cohort), 0)
        more = f"; {left_out} not in every run" if left_out else ""
        groups.setdefault(f"{row.cohort}: {row.scene} ({row.events} of {row.n}{more})", []).append(row)
    return groups


def print_comparison(found: Comparison, console: Console) -> None:
    """Print the comparison, a table per set of patients."""
    if found.synthetic:
        console.print("[bold red]SYNTHETIC[/bold red]: nothing here is about patients.")
    for place, run in enumerate(found.runs, 1):
        console.print(f"run {place}  {run}", highlight=False)
    for name, values in found.differing:
        console.print(f"  {name}: {' | '.join(_short(one) for one in values)}", highlight=False, markup=False)
    if not found.differing:
        console.print("the same settings, data and code")
    for caption, rows in _groups(found).items():
        table = Table(title=caption, title_justify="left", header_style="bold", box=SIMPLE_HEAD)
        table.add_column("metric")
        runs = range(1, len(found.runs) + 1)
        for name in (*(f"run {n}" for n in runs), *(f"{n} less 1" for n in runs if n > 1)):
            table.add_column(name, justify="right")
        for row in rows:
            apart = [f"[bold]{words}[/bold]" if differs else words for words, differs in _marked(row)]
            table.add_row(TITLES[row.metric], *(in_words(one) for one in row.values), *apart)
        console.print(table)


def _short(value: str) -> str:
    return value if len(value) <= LONGEST_SETTING else value[: LONGEST_SETTING - 3] + "..."
