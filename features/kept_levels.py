"""What was worked out for distinct findings, kept by row: a batch looks its findings up once and gathers numbers.

A batch of a hundred cases has some seven hundred distinct findings, nearly all of them seen before; what a finding
costs is then one look-up in a dictionary, whatever number of builders ask for it.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from features.from_cases import finding_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from features.batch import IntArray
    from features.case import Alteration


class HasNumbers(Protocol):
    """Facts that are whole numbers too."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers, equally many for all."""
        ...


Facts = TypeVar("Facts", bound=HasNumbers)


class _Store(Generic[Facts]):
    """Rows by finding; rows are only ever added, so that whoever holds the store may read without the lock."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Any, ...], int] = {}
        self.rows_of_objects: dict[int, int] = {}
        self.objects: list[Alteration] = []  # held, so that no other object gets their identity
        self.facts: list[Facts] = []
        self.numbers: IntArray = np.empty((0, 0), dtype=np.int64)

    def add(self, key: tuple[Any, ...], facts: Facts) -> None:
        row, numbers = len(self.facts), facts.numbers
        if row == len(self.numbers):
            grown = np.empty((max(1_024, 2 * row), len(numbers)), dtype=np.int64)
            grown[:row] = self.numbers[:row] if row else 0
            self.numbers = grown
        self.numbers[row] = numbers
        self.facts.append(facts)
        self.rows[key] = row  # last: the row is whole when it can be found


class KeptLevels(Generic[Facts]):
    """Facts of distinct findings.

    Parameters
    ----------
    make
        Works the facts of one finding out.
    most
        Findings that are kept; beyond that all are forgotten.

    Examples
    --------
    >>> from collections import namedtuple
    >>> from features.case import Alteration
    >>> kept = KeptLevels(lambda one: namedtuple("Facts", "numbers")((len(one.gene), 1)), 100)
    >>> kept.numbers((Alteration(gene="EGFR", kind="amplification"), Alteration(gene="KIT", kind="deletion"))).tolist()
    [[4, 3], [1, 1]]
    """

    def __init__(self, make: Callable[[Alteration], Facts], most: int) -> None:
        self._make, self._most, self._lock = make, most, Lock()
        self._store: _Store[Facts] = _Store()
        self._last: tuple[Any, _Store[Facts], list[int]] = ((), self._store, [])

    def facts(self, levels: Sequence[Alteration]) -> list[Facts]:
        """Return the facts of findings, in their order."""
        store, rows = self._found(levels)
        return [store.facts[row] for row in rows]

    def numbers(self, levels: Sequence[Alteration]) -> IntArray:
        """Return the numbers of findings, shape (numbers, levels)."""
        store, rows = self._found(levels)
        return store.numbers[rows].T if rows else np.empty((store.numbers.shape[1], 0), dtype=np.int64)

    def remember(self, level: Alteration) -> None:
        """Know this very object from now on: a table of cases has the same few thousand objects again and again."""
        store = self._store
        row = self._row(store, level)
        with self._lock:
            store.objects.append(level)
            store.rows_of_objects[id(level)] = row

    def _found(self, levels: Sequence[Alteration]) -> tuple[_Store[Facts], list[int]]:
        """Look findings up; the last batch's are remembered, because several builders ask for the same ones."""
        before, store, rows = self._last
        if levels is before:
            return store, rows
        if len(self._store.facts) > self._most:
            self._store = _Store()
        store = self._store
        found = list(map(store.rows_of_objects.get, map(id, levels)))
        rows = [self._row(store, level) if row is None else row for row, level in zip(found, levels, strict=True)]
        if isinstance(levels, tuple):  # which cannot change
            self._last = (levels, store, rows)
        return store, rows

    def _row(self, store: _Store[Facts], level: Alteration) -> int:
        key = finding_key(level)
        row = store.rows.get(key)
        if row is None:
            facts = self._make(level)
            with self._lock:
                if key not in store.rows:
                    store.add(key, facts)
            row = store.rows[key]
        return row
