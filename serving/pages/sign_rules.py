"""Did a contribution push the way that biology says? Judged for each answer, from its values and contributions.

A feature with a declared sign (:class:`features.contract.Column`) is expected to raise the estimate where its value is
on the favourable side of the training mean, and to lower it on the other side. It disagrees when its contribution goes
the other way by at least 0.10 log-odds. Not judged: a feature without a declared sign, an unknown value, one within a
tenth of a standard deviation of the mean (a side cannot be told), and answers whose artefact is not at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.explanation import SMALLEST_SIGN_WARNING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from features.contract import Column
    from models.response import ResponseModel

NEAREST_JUDGED = 0.1
"""Scaled units (standard deviations of the training cases) from the mean under which no side is told."""

FLAG_CENTRE, FLAG_SCALE = 0.5, 0.5
"""Of a 0/1 column where the model has no linear term: 0 is one side, 1 the other."""


@dataclass(frozen=True)
class Signed:
    """One column with a declared sign: what is its favourable side, and from where it is counted."""

    column: str
    feature: str
    sign: int
    centre: float
    scale: float


@dataclass(frozen=True)
class SignRules:
    """The declared signs of one model."""

    signed: tuple[Signed, ...]

    @classmethod
    def of(cls, model: ResponseModel) -> SignRules:
        """Return the rules of a model: signs from its contract, centres from its linear term."""
        return cls(tuple(_signed(model)))

    def judge(
        self, features: Mapping[str, float | None], contributions: Mapping[str, float]
    ) -> tuple[list[str], list[str]]:
        """Return the features whose sign was judged, and those of them that disagree.

        Parameters
        ----------
        features
            Column to value, None where unknown, as the log keeps them.
        contributions
            Feature to log-odds.

        Examples
        --------
        >>> rules = SignRules((Signed("tmb_log2", "tmb", 1, 2.5, 1.0),))
        >>> rules.judge({"tmb_log2": 5.0}, {"tmb": -0.2}), rules.judge({"tmb_log2": 5.0}, {"tmb": 0.2})
        ((['tmb'], ['tmb']), (['tmb'], []))
        >>> rules.judge({"tmb_log2": None}, {"tmb": -0.2})
        ([], [])
        """
        sides: dict[str, float] = {}
        for one in self.signed:
            value = features.get(one.column)
            if value is not None:
                sides[one.feature] = sides.get(one.feature, 0.0) + one.sign * (value - one.centre) / one.scale
        judged = [name for name, side in sides.items() if abs(side) >= NEAREST_JUDGED and name in contributions]
        return judged, [
            name
            for name in judged
            if contributions[name] * sides[name] < 0 and abs(contributions[name]) >= SMALLEST_SIGN_WARNING
        ]


def _signed(model: ResponseModel) -> Iterator[Signed]:
    linear = model.terms.linear
    for place, column in enumerate(model.table.columns):
        if column.expected_sign == 0:
            continue
        if linear is not None and linear.scale[place] > 0 and np.isfinite(linear.centre[place]):
            yield _one(column, float(linear.centre[place]), float(linear.scale[place]))
        elif column.unit == "flag":
            yield _one(column, FLAG_CENTRE, FLAG_SCALE)


def _one(column: Column, centre: float, scale: float) -> Signed:
    return Signed(column.name, column.feature, column.expected_sign, centre, scale)
