"""Prior variances from the marginal likelihood in place of a search: setting ``prior: marginal`` of the linear term.

How far a group of coefficients strays is one number, and the training cases say it (:mod:`models.prior_variance`), so
no grid of penalties is tried out of fold. Its prior has heavy tails: one that lies far from nought is shrunk less. A
pool in which nothing is found is shrunk until it says next to nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from models.linear_fit import alike, live_columns, missing_indicators, scaling
from models.prior_variance import own_variances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.contract import Column
    from models.inputs import FloatArray, IntArray
    from models.settings import LinearSettings

MARGINAL_PENALTY = 30.0
"""What the factors are relative to: the inverse of the figure of :mod:`models.prior_variance`."""

OWN_POOL = 8
"""Live columns from which a feature has a prior variance of its own: nested levels (histology, settings). The declared
figure counts as two coefficients (:mod:`models.prior_variance`), so that it no longer decides."""


@dataclass(frozen=True, eq=False)
class Varied:
    """What prior variances are found on: the columns that varied in training.

    Attributes
    ----------
    place
        Shape (k,): their places among all columns.
    design
        Shape (n, k), scaled.
    evidence
        Shape (n,), from its mean; 0 without evidence.
    factor
        Shape (k,): what the prior variance of each is divided by beside that of its pool.
    """

    place: IntArray
    design: FloatArray
    evidence: FloatArray
    factor: FloatArray

    @classmethod
    def of(
        cls,
        matrix: FloatArray,
        columns: Sequence[Column],
        weight: FloatArray,
        evidence: FloatArray | None,
        settings: LinearSettings,
    ) -> Self:
        """Return what varied of a feature table, shape (n, p), whose columns are described in their order.

        Examples
        --------
        >>> from features.contract import Column
        >>> from models.settings import LinearSettings
        >>> columns = [Column("nlr", "nlr", "patient", "1"), Column("tmb", "tmb", "tmb", "1")]
        >>> matrix = np.array([[1.0, 5.0], [3.0, 5.0]])
        >>> found = Varied.of(matrix, columns, np.ones(2), None, LinearSettings())
        >>> found.place.tolist(), found.design.tolist(), found.evidence.tolist(), found.factor.tolist()
        ([0], [[-1.0], [1.0]], [0.0, 0.0], [1.0])
        """
        standardised = scaling(matrix, columns, weight, MARGINAL_PENALTY).standardised(matrix)
        place = live_columns(standardised)
        design = standardised[:, place]
        factor = np.where(missing_indicators(columns)[place], settings.missing_penalty, 1.0) * alike(design)
        from_mean = np.zeros(len(matrix)) if evidence is None else evidence - np.average(evidence, weights=weight)
        return cls(place, design, from_mean, factor)


def marginal_settings(
    matrix: FloatArray,
    columns: Sequence[Column],
    y: FloatArray,
    weight: FloatArray,
    evidence: FloatArray | None,
    settings: LinearSettings,
) -> LinearSettings:
    """Return the settings with the factor of each live column, by its name, relative to :data:`MARGINAL_PENALTY`.

    A feature of many columns is a pool of its own (:data:`OWN_POOL`), the others of a group are one together; a column
    that did not vary in training has its pool's factor, by the pool's name.

    Examples
    --------
    >>> import numpy as np
    >>> from features.contract import Column
    >>> from models.settings import LinearSettings
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(3000, 2))
    >>> y = (rng.random(3000) < 1 / (1 + np.exp(-x[:, 0]))).astype(float)
    >>> columns = [Column("nlr", "nlr", "patient", "1"), Column("tmb", "tmb", "tmb", "1")]
    >>> found = marginal_settings(x, columns, y, np.ones(3000), None, LinearSettings(prior="marginal"))
    >>> found.group_penalty["tmb"] > 4 * found.group_penalty["patient"]
    True
    """
    varied = Varied.of(matrix, columns, weight, evidence, settings)
    live = varied.place
    sizes = Counter(columns[place].feature for place in live.tolist())
    pools = [column.feature if sizes[column.feature] >= OWN_POOL else column.group for column in columns]
    numbers = {name: place for place, name in enumerate(sorted(set(pools)))}
    group = np.array([numbers[pool] for pool in pools], dtype=np.int64)
    design = np.column_stack([varied.design, varied.evidence])
    found, own = own_variances(design, y, weight, group[live], varied.factor, len(numbers))
    names = [*numbers, *(columns[place].name for place in live.tolist())]
    variances = dict(zip(names, [*found.tolist(), *own.tolist()], strict=True))
    return replace(settings, group_penalty={name: 1.0 / (MARGINAL_PENALTY * one) for name, one in variances.items()})
