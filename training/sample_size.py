"""Is the sample large enough: the minimum number of cases by Riley's three criteria, before anything is fitted.

Riley et al., Statistics in Medicine 2019 (doi:10.1002/sim.7992) and BMJ 2020 (doi:10.1136/bmj.m441), for a binary
outcome: (1) shrinkage of 0.9, (2) optimism of at most 0.05 in apparent R2, (3) the intercept known within 0.05. The
expected Cox-Snell R2 is 15% of its maximum when nothing better is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from features.errors import Refusal

SHRINKAGE, OPTIMISM, INTERCEPT_MARGIN, SHARE_OF_MAXIMUM = 0.9, 0.05, 0.05, 0.15


class InvalidSampleSize(Refusal):
    """A response rate or a number of parameters that no sample size follows from."""

    code = "invalid_sample_size"


@dataclass(frozen=True)
class SampleSize:
    """Cases each criterion asks for; ``needed`` is the largest."""

    shrinkage: int
    optimism: int
    intercept: int

    @property
    def needed(self) -> int:
        """Fewest cases that satisfy all three."""
        return max(self.shrinkage, self.optimism, self.intercept)


def minimum_sample_size(rate: float, parameters: float, cox_snell: float | None = None) -> SampleSize:
    """Return the fewest cases for a model of so many parameters at a response rate.

    Parameters
    ----------
    rate
        Expected share of responders, between 0 and 1.
    parameters
        Effective degrees of freedom; at least 1 is counted.
    cox_snell
        Expected Cox-Snell R2 of the model, adjusted for optimism; 15% of its maximum when not given.

    Raises
    ------
    InvalidSampleSize
        For a rate that is not between 0 and 1, or an R2 that is not between 0 and its maximum at that rate.

    Examples
    --------
    >>> minimum_sample_size(0.29, 10).needed
    806
    """
    if not 0 < rate < 1:
        raise InvalidSampleSize(f"a response rate of {rate:g} is not between 0 and 1", field="rate")
    p = max(1.0, parameters)
    log_likelihood = rate * math.log(rate) + (1 - rate) * math.log(1 - rate)
    highest = 1 - math.exp(2 * log_likelihood)
    expected = SHARE_OF_MAXIMUM * highest if cox_snell is None else cox_snell
    if not 0 < expected < min(highest, SHRINKAGE):
        raise InvalidSampleSize(f"an R2 of {expected:g} is not between 0 and {highest:.3f}", field="cox_snell")
    shrinkage = p / ((SHRINKAGE - 1) * math.log(1 - expected / SHRINKAGE))
    apart = expected / (expected + OPTIMISM * highest)
    optimism = p / ((apart - 1) * math.log(1 - expected / apart))
    intercept = (1.96 / INTERCEPT_MARGIN) ** 2 * rate * (1 - rate)
    return SampleSize(math.ceil(shrinkage), math.ceil(optimism), math.ceil(intercept))
