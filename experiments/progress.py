"""Progress of long work on the terminal: named steps and bars; silent where nobody looks (``--json``, tests)."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console


class Progress:
    """Steps and bars of one run.

    Parameters
    ----------
    console
        Where to draw; None draws nothing.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._begun

    @contextmanager
    def step(self, words: str) -> Iterator[None]:
        """Show that something without a countable length is under way."""
        with self.bar(words, 1) as each:
            yield
            each("")

    @contextmanager
    def bar(self, words: str, total: int) -> Iterator[Callable[[str], None]]:
        """Show a bar; the function it gives is called once per finished piece, with the piece's name."""
        if self._console is None:
            yield lambda _: None
            return
        words_column = TextColumn("{task.description}")
        columns = (SpinnerColumn(), words_column, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with RichProgress(*columns, console=self._console) as shown:
            task = shown.add_task(words, total=max(total, 1))

            def each(piece: str) -> None:
                shown.update(task, advance=1, description=f"{words} [dim]{piece}[/dim]" if piece else words)

            yield each
            shown.update(task, description=words, completed=max(total, 1))
