"""One block of complete cases: every stage in its order, before truth, outcome and masking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.sources.synthetic.draft import BLOCK
from features.sources.synthetic.genomics import genomics
from features.sources.synthetic.history import history, resistance, therapy
from features.sources.synthetic.patients import patients, place

if TYPE_CHECKING:
    from features.sources.synthetic.draft import CohortName, Draft, Family


def complete(family: Family, cohort: CohortName, seed: int, block: int) -> Draft:
    """Draw one block; the same four arguments give the same block anywhere.

    Examples
    --------
    >>> complete("checkpoint", "development", 1, 0).n == BLOCK
    True
    """
    draft = place(family, cohort, seed, block, BLOCK)
    patients(draft, seed, block)
    genomics(draft, seed, block)
    history(draft, seed, block)
    therapy(draft, seed, block)
    resistance(draft, seed, block)
    return draft
