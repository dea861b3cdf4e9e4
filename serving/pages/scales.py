"""Scales of drawings that need no library: places in percent of a width, so that text beside them keeps its size.

SVG without a viewBox takes percentages; lines and boxes stretch with the window, text does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

PROBABILITY_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Probabilities that an axis of log-odds names."""

WILSON_Z = 1.959963984540054
"""97.5th percentile of the normal distribution: intervals are 95%."""


@dataclass(frozen=True)
class Scale:
    """From ``low`` to ``high``, drawn over the whole width.

    Examples
    --------
    >>> Scale(-1.0, 1.0).at(0.5), Scale(0.0, 1.0).span(0.2, 0.5)
    ('75%', ('20%', '30%'))
    """

    low: float
    high: float

    def share(self, value: float) -> float:
        """Return the place of a value in percent of the width; ends of the scale for what lies beyond."""
        inside = min(max(value, self.low), self.high)
        return 100 * (inside - self.low) / (self.high - self.low)

    def at(self, value: float) -> str:
        """Return the place of a value as SVG writes it."""
        return f"{self.share(value):.3f}".rstrip("0").rstrip(".") + "%"

    def span(self, first: float, second: float) -> tuple[str, str]:
        """Return start and width of the stretch between two values, in either order."""
        start, end = sorted((self.share(first), self.share(second)))
        width = f"{end - start:.3f}".rstrip("0").rstrip(".") + "%"
        return f"{start:.3f}".rstrip("0").rstrip(".") + "%", width


UNIT = Scale(0.0, 1.0)
"""Probabilities, and scores of 0 to 1."""


def logistic(log_odds: float) -> float:
    """Return the probability of a log-odds.

    Examples
    --------
    >>> logistic(0.0), round(logistic(-1.38), 3)
    (0.5, 0.201)
    """
    return 1 / (1 + math.exp(-log_odds)) if log_odds >= 0 else math.exp(log_odds) / (1 + math.exp(log_odds))


def log_odds_scale(values: list[float], margin: float = 0.08) -> Scale:
    """Return a scale that holds every value with some air at both ends.

    Examples
    --------
    >>> log_odds_scale([0.0, 1.0], margin=0.1)
    Scale(low=-0.1, high=1.1)
    """
    low, high = min(values), max(values)
    air = margin * (high - low) or 0.5
    return Scale(low - air, high + air)


def probability_ticks(scale: Scale, apart: float = 9.0) -> list[tuple[str, str]]:
    """Return places and names of probabilities on a scale of log-odds, at least so many percent of the width apart."""
    found: list[tuple[str, str]] = []
    last = -math.inf
    for probability in PROBABILITY_TICKS:
        value = math.log(probability / (1 - probability))
        place = scale.share(value)
        if scale.low < value < scale.high and place - last >= apart and 3 <= place <= 97:  # room for text
            found.append((scale.at(value), f"{100 * probability:.0f}%"))
            last = place
    return found


def wilson(responders: float, n: float) -> tuple[float, float]:
    """Return Wilson's 95% interval of a rate (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Examples
    --------
    >>> [round(end, 3) for end in wilson(20, 56)]
    [0.245, 0.488]
    """
    rate, z2 = responders / n, WILSON_Z**2
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = WILSON_Z * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # Both ends are exact where nobody or everybody responded; the sum would leave a rounding error there.
    return 0.0 if responders == 0 else max(0.0, centre - half), 1.0 if responders == n else min(1.0, centre + half)
