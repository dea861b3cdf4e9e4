"""The growing columns of one block of cases, and the random streams they are drawn from.

Cases are drawn in blocks of fixed size, each block and each stage from its own stream: the first 1,000 cases of a
seed are the same whether 1,000 or 5 million are drawn, and partitions can be drawn apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from features.sources.synthetic.tissues import figure, histologies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.batch import FloatArray, IntArray

Family = Literal["checkpoint", "targeted"]
CohortName = Literal["development", "external"]
Missingness = Literal["realistic", "none"]

BLOCK = 4096
"""Cases per block; part of the definition of a seed's cohort: another value draws other cases."""

STAGES = (
    "place",
    "patient",
    "genes",
    "history",
    "therapy",
    "resistance",
    "passengers",
    "outcome",
    "masking",
    "variants",
)
FAMILIES: tuple[Family, ...] = ("checkpoint", "targeted")
COHORTS: tuple[CohortName, ...] = ("development", "external")


def stream(seed: int, family: Family, cohort: CohortName, block: int, stage: str) -> np.random.Generator:
    """Return the generator of one stage of one block: PCG64 seeded with all that names it.

    Examples
    --------
    >>> float(stream(1, "checkpoint", "development", 0, "patient").random()) == float(
    ...     stream(1, "checkpoint", "development", 0, "patient").random())
    True
    """
    entropy = [seed, FAMILIES.index(family), COHORTS.index(cohort), block, STAGES.index(stage)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def pick(rng: np.random.Generator, n: int, weights: FloatArray) -> IntArray:
    """Draw ``n`` places with the given weights."""
    edges = np.cumsum(weights) / np.sum(weights)
    return np.searchsorted(edges, rng.random(n), side="right").astype(np.int64)


def flags(condition: NDArray[np.bool_]) -> FloatArray:
    """Return 1 and 0 for true and false."""
    return condition.astype(np.float64)


def rounded(values: FloatArray | IntArray, digits: int = 0) -> FloatArray:
    """Return values as a record would give them, as float64."""
    return np.round(values, digits).astype(np.float64)


def pick_rows(rng: np.random.Generator, weights: FloatArray) -> IntArray:
    """Draw one place per row of a weight matrix of shape (n, k)."""
    edges = np.cumsum(weights, axis=1)
    return np.asarray((rng.random(len(weights))[:, None] * edges[:, -1:] >= edges).sum(axis=1), dtype=np.int64)


@dataclass
class Draft:
    """One block of cases while it is drawn.

    Attributes
    ----------
    site, year
        Where and when; they decide assay and what was recorded, never the response.
    histology, tissue, scenario
        Places in ``histologies.csv``, its tissues, and ``base_rates_targeted.csv`` (-1 for checkpoint).
    carries
        Shape (n, markers): which markers the tumour has.
    prior_agents
        One text per earlier line, shape (n, lines), "" beyond the last; line 1 first.
    regimen
        Place in ``regimens`` of :mod:`features.sources.synthetic.regimens`.
    numbers
        Everything else, by dotted path or plain name.
    """

    family: Family
    cohort: CohortName
    n: int
    site: IntArray
    year: IntArray
    assay: IntArray
    histology: IntArray
    scenario: IntArray
    unmatched: NDArray[np.bool_]
    carries: NDArray[np.bool_]
    prior_agents: NDArray[np.str_] = field(default_factory=lambda: np.empty((0, 0), dtype=np.str_))
    regimen: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    numbers: dict[str, FloatArray] = field(default_factory=dict)

    @property
    def tissue(self) -> IntArray:
        """The tissue of each case's histology."""
        return histologies().tissue_of[self.histology]

    def of_histology(self, name: str) -> FloatArray:
        """Return a background figure of each case's histology."""
        return histologies().numbers[name][self.histology]

    def in_tissues(self, names: str) -> NDArray[np.bool_]:
        """Say which cases are of ``A|B`` or ``ANY`` tissue."""
        return np.asarray(histologies().in_tissues(names)[self.tissue] > 0)

    def in_assays(self, names: str) -> NDArray[np.bool_]:
        """Say which cases were tested by ``a|b`` of ``assays.csv``."""
        wanted = names.split("|")
        return np.array([row["assay"] in wanted for row in figure("assays")])[self.assay]

    def carries_any(self, places: list[int]) -> NDArray[np.bool_]:
        """Say which cases carry at least one of the markers; all where none is named."""
        return np.asarray(self.carries[:, places].any(axis=1)) if places else np.ones(self.n, dtype=np.bool_)
