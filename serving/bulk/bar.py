"""The bar of a run on a terminal: how many cases are done, at which rate, and how long it will still take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Task


class Rate(ProgressColumn):
    """Cases per second; nothing until the first block is done."""

    def render(self, task: Task) -> Text:
        """Return the rate as text."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} cases/s" if speed else "")


def bar(hidden: bool = False) -> Progress:
    """Return the bar, on standard error."""
    left = TimeRemainingColumn(compact=True)
    columns = (
        TextColumn("scoring"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
    )
    return Progress(*columns, left, console=Console(stderr=True), disable=hidden)
