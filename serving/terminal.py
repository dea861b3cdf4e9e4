"""One answer as a person reads it on a terminal: probability, interval, bars for the reasons, evidence, warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from features.provenance import ENDPOINT_TITLES
from serving.comparator_names import COMPARATOR_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import RenderableType

SCALE_WIDTH = 50
"""Characters of the probability scale from 0 to 100%."""

LEAST_SHOWN = 0.0005
"""Log-odds below which a row would read +0.000."""

BAR_WIDTH = 14
"""Characters of the longest bar to either side."""

PANEL_WIDTH = 110
"""Characters of the panel; a narrower terminal narrows it."""

MOST_SHOWN = 12
"""Contributions that are listed; the others are summed in one row."""


def shown_answer(answer: Mapping[str, Any], title: str = "") -> RenderableType:
    """Return an answer of architecture.md as a rich renderable.

    Parameters
    ----------
    answer
        The JSON object of an answer.
    title
        What the case is, in a few words; escaped.
    """
    parts: list[RenderableType] = [_headline(answer)]
    if answer["status"] == "predicted":
        parts += [_scale(answer), Text(""), _reasons_table(answer)]
    parts += [*_evidence(answer["evidence"]), *_listed("not answered because", answer["reasons"], "red")]
    parts += [*_comparators(answer["comparators"]), *_listed("note", answer["warnings"], "yellow"), _provenance(answer)]
    name = escape(title or answer.get("case_id") or "case")
    style = "magenta" if answer["model"].get("synthetic") else "cyan"
    return Panel(Group(*parts), title=f"[bold]{name}[/bold]", border_style=style, padding=(1, 2), width=PANEL_WIDTH)


def _headline(answer: Mapping[str, Any]) -> Text:
    head = Text()
    if answer["model"].get("synthetic"):
        head.append("SYNTHETIC ", style="bold magenta")
    if answer["status"] != "predicted":
        return head.append("Not enough evidence: no probability is given.", style="bold red")
    interval = answer["interval"]
    head.append(f"{answer['probability']:.0%}", style="bold")
    head.append(" would respond, 95% interval ").append(
        f"{interval['low']:.0%} to {interval['high']:.0%}", style="bold"
    )
    endpoint = str(answer["model"]["endpoint"])
    return head.append(f" ({endpoint}: {ENDPOINT_TITLES.get(endpoint, endpoint)})", style="dim")


def _scale(answer: Mapping[str, Any]) -> Text:
    interval = answer["interval"]
    cells = ["·"] * (SCALE_WIDTH + 1)
    low, high = (round(interval[end] * SCALE_WIDTH) for end in ("low", "high"))
    cells[low : high + 1] = "━" * (high + 1 - low)
    cells[round(answer["probability"] * SCALE_WIDTH)] = "●"
    return Text("0% ", style="dim").append("".join(cells), style="cyan").append(" 100%", style="dim")


def _reading(text: str) -> str:
    """Return what was read, without the direction that the bar shows and without the remarks in brackets."""
    for direction in (" raises the estimate", " lowers the estimate", " leaves the estimate as it is"):
        text = text.partition(direction)[0]
    return text


def _bar(log_odds: float, longest: float) -> Text:
    width = round(abs(log_odds) / longest * BAR_WIDTH) if longest else 0
    left = ("█" * width).rjust(BAR_WIDTH) if log_odds < 0 else " " * BAR_WIDTH
    right = ("█" * width).ljust(BAR_WIDTH) if log_odds > 0 else " " * BAR_WIDTH
    return Text(left, style="dark_orange").append("│", style="dim").append(right, style="dodger_blue1")


def _reasons_table(answer: Mapping[str, Any]) -> Table:
    """One row per contribution, largest first, the small ones together, then the sum."""
    contributions = sorted(answer["contributions"], key=lambda c: -abs(c["log_odds"]))
    shown = [one for one in contributions[:MOST_SHOWN] if abs(one["log_odds"]) >= LEAST_SHOWN]
    longest = max((abs(c["log_odds"]) for c in shown), default=0.0)
    table = Table(box=None, padding=(0, 1), show_header=True, header_style="dim")
    table.add_column("why")
    table.add_column(f"{'lowers':>{BAR_WIDTH}}│{'raises':<{BAR_WIDTH}}", min_width=2 * BAR_WIDTH + 1, no_wrap=True)
    table.add_column("log-odds", justify="right")
    table.add_row("average case of the training cohort", "", f"{answer['base_log_odds']:+.3f}", style="dim")
    for item in shown:
        table.add_row(escape(_reading(item["text"])), _bar(item["log_odds"], longest), f"{item['log_odds']:+.3f}")
    rest = sum(c["log_odds"] for c in contributions) - sum(c["log_odds"] for c in shown)
    if len(shown) < len(contributions):
        table.add_row(f"{len(contributions) - len(shown)} others, together", "", f"{rest:+.3f}", style="dim")
    table.add_row("sum = the log-odds that is served", "", f"{answer['log_odds']:+.3f}", style="bold")
    return table


def _evidence(arms: Sequence[Mapping[str, Any]]) -> Iterable[RenderableType]:
    if not arms:
        return
    yield Text("\npublished arms it leans on", style="dim")
    for arm in arms[:5]:
        rate = f"{arm['orr_percent']:.0f}% of {arm['n']}" if arm.get("n") else f"{arm['orr_percent']:.0f}%"
        yield Text(f"  {rate:>12}  ").append(str(arm.get("title") or arm["arm"]))


def _comparators(comparators: Mapping[str, Any]) -> Iterable[RenderableType]:
    if comparators:
        yield Text("\nfor comparison", style="dim")
    for name, value in comparators.items():
        yield Text(f"  {COMPARATOR_NAMES.get(name, name.replace('_', ' '))}: {_word(value)}")


def _word(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return f"{value['score']:.2f} ({value['what']})"
    return f"{value:.2f}"


def _listed(label: str, items: Sequence[Any], style: str) -> Iterable[RenderableType]:
    for item in items:
        words = item if isinstance(item, str) else f"{item.get('text', '')} ({item['code']})"
        yield Text(f"{label}: ", style=style).append(words)


def _provenance(answer: Mapping[str, Any]) -> Text:
    model = answer["model"]
    line = f"\n{model['name']} version {model['version']}, {model['digest'][:19]}…, trained on {model['trained_on']}"
    return Text(line, style="dim").append("\n" + answer["intended_use"], style="dim italic")
