"""The log-odds of each therapy in its setting, solved once so that the published response rates come out.

See :mod:`features.sources.synthetic.solve_base_rates`, which writes ``figures/offsets.csv``.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from features.sources.synthetic.tissues import figure

if TYPE_CHECKING:
    from features.sources.synthetic.draft import Family


@cache
def offsets(family: Family) -> dict[str, float]:
    """Return the stored log-odds of each cell of a family.

    Examples
    --------
    >>> offsets("targeted")["MEL_VEMURAFENIB"] > offsets("targeted")["CRC_VEMURAFENIB"]
    True
    """
    return {row["key"]: float(row["log_odds"]) for row in figure("offsets") if row["family"] == family}
