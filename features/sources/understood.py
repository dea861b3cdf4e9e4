"""Understood: how much of a file's notations was read, and what was not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from features.errors import listed


@dataclass(slots=True)
class Understood:
    """How much of a file's notations was read: counts, and what was not with how often it occurs."""

    seen: int = 0
    read: int = 0
    unread: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """Share read, 0 to 1; 1 where there was nothing to read."""
        return self.read / self.seen if self.seen else 1.0

    def add(self, text: str, readable: bool) -> None:
        """Count one notation."""
        self.seen += 1
        self.read += readable
        if not readable:
            self.unread[text] += 1

    def text(self) -> str:
        """Return one line for a report.

        Examples
        --------
        >>> Understood(200, 199, Counter({"p.??": 1})).text()
        '199 of 200 understood (99.50%); not: p.?? (1)'
        """
        rest = listed(f"{text} ({times})" for text, times in self.unread.most_common())
        line = f"{self.read} of {self.seen} understood ({self.share:.2%})"
        return f"{line}; not: {rest}" if rest else line
