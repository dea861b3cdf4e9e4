"""A response model as bulk scoring uses it: the same numbers, what is dear worked out once or left out.

Evidence is evaluated by shares (:mod:`models.evidence_bulk`); where no contributions are wanted, the linear and the
boosted term are summed at once instead of column by column, which agrees to rounding and is several times quicker.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from models.boosted import spread_of
from models.evidence_bulk import EvidenceInBulk
from models.response import ResponseModel
from models.scores import score
from models.terms import Contributions, Terms

if TYPE_CHECKING:
    from models.inputs import Inputs
    from models.scores import Scores

ONE = np.ones((1, 1))
"""Gathers the one column of :class:`TermsAlone`."""


@dataclass(frozen=True, eq=False)
class TermsAlone(Terms):
    """The terms with linear and boosted as one column: the sum, not what it is made of."""

    def contributions(self, inputs: Inputs) -> Contributions:
        """Take z apart into the evidence and all the rest."""
        rest, spread, standardised = np.zeros(inputs.n), np.zeros(inputs.n), None
        if self.linear is not None:
            standardised = self.linear.standardised(inputs.matrix)
            rest += standardised @ self.linear.coefficients
        if self.boosted is not None:
            outputs = self.boosted.outputs(inputs.matrix)
            rest += outputs.mean(axis=0) - self.boosted.mean
            spread = spread_of(outputs)
        evidence, parts = np.zeros(inputs.n), np.zeros((inputs.n, 0))
        if inputs.evidence is not None and self.evidence_weight is not None:
            evidence = self.evidence_weight * (inputs.evidence.log_odds - self.evidence_mean)
        return Contributions(rest[:, None], evidence, parts, spread, standardised)


@dataclass(frozen=True, eq=False)
class ScoresAlone(ResponseModel):
    """A response model whose answers hold no contributions; ``scores.phi`` is not by feature."""

    @cached_property
    def _terms_alone(self) -> Terms:
        return TermsAlone(**{one.name: getattr(self.terms, one.name) for one in fields(Terms)})

    def score(self, inputs: Inputs) -> Scores:
        """Score inputs and check that evidence and all the rest add up."""
        return score(inputs, self._terms_alone, self.calibration, self.interval, ONE)


def for_bulk(model: ResponseModel, contributions: bool = True) -> ResponseModel:
    """Return the model as many cases are scored with it.

    Parameters
    ----------
    model
        As loaded.
    contributions
        False leaves them out: answers hold probability, interval and status alone.
    """
    given: dict[str, Any] = {one.name: getattr(model, one.name) for one in fields(ResponseModel)}
    if model.evidence is not None:
        given["evidence"] = EvidenceInBulk(model.evidence)
    return ResponseModel(**given) if contributions else ScoresAlone(**given)
