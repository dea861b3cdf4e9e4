"""Levels of a regimen in what is around it, learned from training cases: what the builders of such levels share.

A case counts in the levels of its *setting*, which is all that a builder reads of it (the regimen, the histology, what
came before); many cases have the same one. Levels are nested, and each with enough training cases has a 0/1 column:
ridge on them is partial pooling, and a setting without a column of its own *is* the levels that it is part of.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import numpy as np

from features.contract import Column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from features.batch import Batch, FloatArray, IntArray
    from features.contract import Group

Setting = TypeVar("Setting")


@dataclass(frozen=True)
class NestedLevelsBuilder(Generic[Setting]):
    """A builder of 0/1 columns, one per learned level. Never unknown: not known is a level of its own, or none.

    Attributes
    ----------
    levels
        Levels with a column, sorted; empty before ``fit``.
    """

    levels: tuple[str, ...] = ()

    name: ClassVar[str]
    group: ClassVar[Group] = "therapy"
    families: ClassVar[tuple[str, ...]]
    """Families whose models use the columns."""

    def settings(self, batch: Batch) -> tuple[Sequence[Setting], IntArray]:
        """Return the different settings of a batch, and for each case the place of its own."""
        raise NotImplementedError

    def levels_in(self, setting: Setting) -> Iterable[str]:
        """Return the levels that a setting counts in, the broadest first."""
        raise NotImplementedError

    def feature_of(self, level: str) -> str:
        """Return the feature that a level is counted under."""
        raise NotImplementedError

    def columns(self) -> tuple[Column, ...]:
        """Return one column per level."""
        return self._columns

    @cached_property
    def _columns(self) -> tuple[Column, ...]:
        named = ((self.feature_of(level), level) for level in self.levels)
        return tuple(
            Column(f"{feature}_{level}", feature, self.group, families=self.families) for feature, level in named
        )

    @cached_property
    def _place(self) -> dict[str, int]:
        return {level: place for place, level in enumerate(self.levels)}

    def build(self, batch: Batch) -> FloatArray:
        """Return 0/1 columns, shape (n, levels); never NaN."""
        if not self.levels:
            return np.zeros((batch.n, 0))
        settings, place = self.settings(batch)
        hits = [(row, self._place[level]) for row, setting in enumerate(settings) for level in self.known_in(setting)]
        rows = np.zeros((len(settings), len(self.levels)))
        if hits:
            rows[tuple(np.array(hits).T)] = 1.0
        return rows[place]

    def known_in(self, setting: Setting) -> list[str]:
        """Return the levels of a setting that have a column, the broadest first."""
        return [level for level in self.levels_in(setting) if level in self._place]

    def counted(self, batch: Batch) -> Iterator[tuple[Setting, int]]:
        """Yield the different settings of a batch, each with how many cases have it."""
        settings, place = self.settings(batch)
        yield from zip(settings, np.bincount(place, minlength=len(settings)).tolist(), strict=True)

    def warnings(self, batch: Batch, row: int) -> Sequence[str]:  # noqa: ARG002 - the builders of the parts warn
        """Return nothing: rare histologies, rare classes and matches not met are warned about by their own builders."""
        return ()

    def parameters(self) -> dict[str, Any]:
        """Return the learned levels."""
        return {"levels": list(self.levels)}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Return the builder that :meth:`parameters` came from."""
        return cls(tuple(parameters["levels"]))
