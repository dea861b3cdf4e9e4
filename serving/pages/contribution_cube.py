"""ContributionCube: sums of contributions, precomputed by month, model version, therapy class and tissue.

Kept while the log is read, record by record, so that "mean contribution of TMB by month" over a million answers is a
sum over a few thousand cells. Contributions are counted as whole millionths of a log-odds: integer sums are exact and
do not depend on the order or the blocks in which records came, so a cube built anew equals the one that grew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from features.contract import GROUPS
from serving.pages.log_columns import Codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    Key = tuple[int, int, int, int]
    ByName = dict[str, float]

MILLIONTH = 1e-6
"""Log-odds: the unit in which contributions are summed."""
SQUARE_UNIT = 1e-4
"""Log-odds: the unit in which contributions are squared, so that 10**9 answers of 9 log-odds fit 64 bits."""

COUNT, SUM, ABSOLUTE, SQUARE = range(4)
"""What is summed of each contribution."""


@dataclass(frozen=True)
class Slice:
    """Sums over some cells: shape (names, 4) of COUNT, SUM, ABSOLUTE, SQUARE, in log-odds."""

    names: tuple[str, ...]
    sums: FloatArray

    @property
    def count(self) -> FloatArray:
        """Answers that had the contribution, shape (names,)."""
        return self.sums[:, COUNT]

    @property
    def mean(self) -> FloatArray:
        """Mean contribution, NaN without answers."""
        return _ratio(self.sums[:, SUM], self.count)

    @property
    def mean_absolute(self) -> FloatArray:
        """Mean size of the contribution, whichever way."""
        return _ratio(self.sums[:, ABSOLUTE], self.count)

    @property
    def standard_error(self) -> FloatArray:
        """Standard error of the mean; NaN below two answers."""
        variance = np.maximum(_ratio(self.sums[:, SQUARE], self.count) - self.mean**2, 0.0)
        return np.where(self.count > 1, np.sqrt(_ratio(variance, self.count - 1)), np.nan)


class ContributionCube:
    """Sums by cell and name; names are the eight groups and, as they come, the features.

    A cell is (month as 12 * year + month - 1, code of the version, of the therapy class, of the tissue).
    """

    def __init__(self) -> None:
        self.names = Codes([f"group:{group}" for group in GROUPS])
        self.tissues = Codes()
        self._cells: dict[Key, int] = {}
        self._sums = np.zeros((64, 160, 4), dtype=np.int64)

    def add(
        self, keys: Sequence[Key], groups: Sequence[dict[str, float]], features: Sequence[dict[str, float]]
    ) -> None:
        """Add predicted answers: their cells, contributions by group and by feature."""
        cell: list[int] = []
        name: list[int] = []
        value: list[float] = []
        for key, by_group, by_feature in zip(keys, groups, features, strict=True):
            place = self._cells.setdefault(key, len(self._cells))
            codes = [*(self.names.of(f"group:{one}") for one in by_group), *(self.names.of(one) for one in by_feature)]
            cell += [place] * len(codes)
            name += codes
            value += [*by_group.values(), *by_feature.values()]
        self._grow()
        phi = np.array(value)
        whole = np.rint(phi / MILLIONTH).astype(np.int64)
        coarse = np.rint(phi / SQUARE_UNIT).astype(np.int64)
        amounts = np.stack([np.ones_like(whole), whole, np.abs(whole), coarse**2], axis=1)
        flat = np.array(cell, dtype=np.int64) * self._sums.shape[1] + np.array(name, dtype=np.int64)
        np.add.at(self._sums.reshape(-1, 4), flat, amounts)

    def keys(self) -> NDArray[np.int64]:
        """Return the cells, shape (cells, 4): month, version, therapy class, tissue."""
        return np.array(list(self._cells), dtype=np.int64).reshape(-1, 4)

    def slice(self, cells: NDArray[np.bool_] | None = None) -> Slice:
        """Return the sums over some cells (all without), in log-odds."""
        used = self._sums[: len(self._cells), : len(self.names.texts)]
        total = (used if cells is None else used[cells]).sum(axis=0)
        units = np.array([1.0, MILLIONTH, MILLIONTH, SQUARE_UNIT**2])
        return Slice(tuple(self.names.texts), total * units)

    def _grow(self) -> None:
        cells, names, _ = self._sums.shape
        if len(self._cells) > cells or len(self.names.texts) > names:
            shape = (max(cells, 2 * len(self._cells)), max(names, 2 * len(self.names.texts)), 4)
            larger = np.zeros(shape, dtype=np.int64)
            larger[:cells, :names] = self._sums
            self._sums = larger

    def stored(self) -> dict[str, NDArray[Any]]:
        """Return arrays that :meth:`restored` makes this cube of."""
        texts = json.dumps({"names": self.names.texts, "tissues": self.tissues.texts}).encode()
        used = self._sums[: len(self._cells), : len(self.names.texts)]
        return {"cube": used, "cells": self.keys(), "cube_texts": np.frombuffer(texts, np.uint8)}

    @classmethod
    def restored(cls, arrays: Any) -> ContributionCube:
        """Return the cube that :meth:`stored` wrote."""
        found, texts = cls(), json.loads(bytes(arrays["cube_texts"]))
        found.names, found.tissues = Codes(texts["names"]), Codes(texts["tissues"])
        found._cells = {tuple(key): place for place, key in enumerate(arrays["cells"].tolist())}
        found._sums = np.array(arrays["cube"]) if found._cells else found._sums
        return found


def month_of(time: str) -> int:
    """Return the month of a record's time as one number.

    Examples
    --------
    >>> month_of("2026-11-22T17:41:36.000000Z"), month_name(month_of("2026-11-22T17:41:36.000000Z"))
    (24322, '2026-11')
    """
    return 12 * int(time[:4]) + int(time[5:7]) - 1


def month_name(month: int) -> str:
    """Return ``2026-11``."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    return np.asarray(np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0))
