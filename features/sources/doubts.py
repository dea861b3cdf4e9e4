"""What is within every range, value by value, and odd as a whole: said at the build, never corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    import pyarrow as pa

HIGHEST_MEDIAN_TMB = 30.0
"""Mut/Mb. Over 100,000 tumours the median was 3.6, and some 45 only in carcinomas of the skin (Chalmers, Genome
Medicine 2017, doi:10.1186/s13073-017-0424-2): half of the values of a cohort above 30 are probably another unit."""

FEWEST_VALUES = 20
"""Fewer values have no median to speak of."""


def doubts(cases: pa.Table) -> list[str]:
    """Return one sentence for each column that is probably in another unit than it was said to be.

    Parameters
    ----------
    cases
        The cases of a cohort, dotted columns; unknown values are null and do not count.

    Examples
    --------
    >>> import pyarrow as pa
    >>> doubts(pa.table({"tmb.mut_per_mb": [300.0] * 25}))[0][:58]
    'tmb.mut_per_mb: half of the values are above 30 mut/Mb; co'
    """
    name = "tmb.mut_per_mb"
    if name not in cases.column_names:
        return []
    values = pc.drop_null(cases.column(name)).to_numpy()
    if len(values) < FEWEST_VALUES or np.median(values) <= HIGHEST_MEDIAN_TMB:
        return []
    return [
        f"{name}: half of the values are above {HIGHEST_MEDIAN_TMB:g} mut/Mb; counts of a whole exome belong into"
        " tmb.exome_nonsynonymous_count, those of a blood test into tmb.blood_count"
    ]
