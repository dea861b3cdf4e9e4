"""The boosted term: K shallow LightGBM boosters, averaged on the log-odds, kept as text and applied by us.

They were started from out-of-fold w * evidence + linear as ``init_score``, so they hold what the two missed;
``init_score`` is in neither the text nor the contributions, and the sum is ours. Contributions are path-dependent
TreeSHAP (``pred_contrib``, equal to ``shap.TreeExplainer`` bit for bit), minus their weighted mean over the training
cases, column by column. That centring is what makes the base of an answer the mean served log-odds: LightGBM's own
expected value counts the rows of each bag without their weights, so it differs from the training mean by a constant,
and subtracting the mean of each column takes the constant away exactly where it arises.

Missing policy: NaN goes the way training found best at each split. Unseen values: every column is a number whose
contract was checked before; there are no category codes that LightGBM could silently take for missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from models.boosted_tables import BoostedTables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.inputs import FloatArray


@dataclass(frozen=True, eq=False)
class BoostedTerm:
    """K boosters and the training means of their contributions.

    Attributes
    ----------
    texts
        The K boosters as LightGBM text.
    centre
        Shape (p,): weighted training mean of the averaged contribution of each column.
    mean
        Weighted training mean of the averaged output.
    """

    texts: tuple[str, ...]
    centre: FloatArray
    mean: float
    _boosters: list[Any] = field(default_factory=list, repr=False)

    @cached_property
    def tables(self) -> BoostedTables | None:
        """The trees as tables: the same contributions some 25 times faster; None where trees are too large for it."""
        return BoostedTables.of(self.texts, len(self.centre))

    def boosters(self) -> list[Any]:
        """Return the boosters, read from their text once; ``import lightgbm`` happens here and nowhere before."""
        if not self._boosters:
            import lightgbm

            self._boosters.extend(lightgbm.Booster(model_str=text) for text in self.texts)
        return self._boosters

    def raw(self, matrix: FloatArray) -> FloatArray:
        """Return contributions and, last, the expected value of each booster: shape (K, n, p + 1)."""
        return np.stack(
            [booster.predict(matrix, raw_score=True, pred_contrib=True, num_threads=1) for booster in self.boosters()]
        )

    def contributions(self, matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return centred log-odds by column, shape (n, p), and the variance of the K outputs, shape (n,).

        The term's value is ``mean`` plus the sum of a row. The variance is that of single boosters, not of their
        mean: seeds differ less than refits on other patients would.
        """
        if self.tables is not None:
            found, outputs = self.tables.contributions_and_outputs(matrix)
            return found - self.centre, spread_of(outputs)
        raw = self.raw(matrix)
        return raw[:, :, :-1].mean(axis=0) - self.centre, spread_of(raw.sum(axis=2))

    def outputs(self, matrix: FloatArray) -> FloatArray:
        """Return the output of each booster, shape (K, n), without contributions."""
        if self.tables is not None:
            return self.tables.outputs(matrix)
        return np.stack([booster.predict(matrix, raw_score=True, num_threads=1) for booster in self.boosters()])

    def value(self, matrix: FloatArray) -> FloatArray:
        """Return the averaged output on the log-odds, shape (n,), without contributions: for out-of-fold steps."""
        return averaged_output(self.boosters(), matrix)


def spread_of(outputs: FloatArray) -> FloatArray:
    """Return the variance of the K outputs of each case, shape (n,); one booster shows none."""
    return np.asarray(outputs.var(axis=0, ddof=1) if len(outputs) > 1 else np.zeros(outputs.shape[1]))


def averaged_output(boosters: Sequence[Any], matrix: FloatArray) -> FloatArray:
    """Return the mean log-odds of boosters, shape (n,); 40 times faster than their contributions."""
    outputs = [booster.predict(matrix, raw_score=True, num_threads=1) for booster in boosters]
    return np.asarray(np.mean(outputs, axis=0), dtype=np.float64)


def centred(texts: Sequence[str], matrix: FloatArray, weight: FloatArray) -> BoostedTerm:
    """Return the term of fitted boosters, centred on the training cases.

    Parameters
    ----------
    texts
        LightGBM texts.
    matrix, weight
        The training cases, shape (n, p), and how many cases each row stands for.
    """
    p = matrix.shape[1]
    averaged = BoostedTerm(tuple(texts), np.zeros(p), 0.0).raw(matrix).mean(axis=0)
    means = np.average(averaged, axis=0, weights=weight)
    return BoostedTerm(tuple(texts), means[:-1], float(means.sum()))
