"""What our probability is compared with, as published: TMB, MSI, PD-L1, and LORIS. Nothing here is fitted.

A comparator gives one number per case and NaN where its inputs are not known. The markers, the rules and LORIS rank;
they are *not* probabilities, and every place that shows one says so. Fitted rivals: :mod:`models.comparators_fitted`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from features.regimens import regimen
from models.loris import LORIS_SOURCE, LorisNsclc, LorisPanCancer

if TYPE_CHECKING:
    from features.batch import Batch, FloatArray

TMB_HIGH_MUT_PER_MB = 10.0
"""mut/Mb from which a tumour counts as TMB-high: KEYNOTE-158, doi:10.1016/S1470-2045(20)30445-9."""

BLOCKADE_FAMILIES = ("checkpoint", "mixed")
"""Families of regimens that these comparators speak about."""


class Comparator(Protocol):
    """One rival: its name, whether its numbers are probabilities, and its number per case."""

    @property
    def name(self) -> str:
        """Name in tables: lower case, words joined by underscores."""
        ...

    @property
    def is_probability(self) -> bool:
        """Whether its numbers were made to be read as probabilities of response."""
        ...

    @property
    def on_unit_scale(self) -> bool:
        """Whether it lies in 0 to 1 and can be judged *as if* it were a probability (Brier, CITL, net benefit)."""
        ...

    def score(self, batch: Batch) -> FloatArray:
        """Return one number per case, shape (n,), NaN where its inputs are not known; higher is more likely."""
        ...


@dataclass(frozen=True)
class Marker:
    """A measured number by itself, such as TMB; it ranks and is no probability."""

    name: str
    path: str
    is_probability: bool = False
    on_unit_scale: bool = False

    def score(self, batch: Batch) -> FloatArray:
        """Return the number as measured."""
        return batch.numbers[self.path]


@dataclass(frozen=True)
class TmbHigh:
    """TMB of 10 mut/Mb or more: 1 or 0, NaN where TMB is unknown."""

    name: str = "tmb_10_or_more"
    is_probability: bool = False
    on_unit_scale: bool = False

    def score(self, batch: Batch) -> FloatArray:
        """Return the rule's call."""
        return _high(batch.numbers["tmb.mut_per_mb"])


@dataclass(frozen=True)
class MsiHighOrTmbHigh:
    """MSI-high or TMB of 10 or more: 1 or 0, NaN unless *both* are known (else only its positives would be counted)."""

    name: str = "msi_high_or_tmb_10"
    is_probability: bool = False
    on_unit_scale: bool = False

    def score(self, batch: Batch) -> FloatArray:
        """Return the rule's call."""
        return np.asarray(np.maximum(_high(batch.numbers["tmb.mut_per_mb"]), msi_high(batch)))


PUBLISHED: tuple[Comparator, ...] = (
    Marker("tmb_alone", "tmb.mut_per_mb"),
    TmbHigh(),
    MsiHighOrTmbHigh(),
    Marker("pdl1_alone", "patient.pdl1_tps_percent"),
    LorisPanCancer(),
    LorisNsclc(),
)
"""Every rival that needs no fit, in the order of the tables."""


def _high(tmb: FloatArray) -> FloatArray:
    return np.where(np.isnan(tmb), np.nan, (tmb >= TMB_HIGH_MUT_PER_MB).astype(np.float64))


_MSI_TESTS = {
    "mmr.ihc": {"deficient": 1.0, "proficient": 0.0},
    "mmr.msi_pcr": {"MSI-H": 1.0, "MSI-L": 0.0, "MSS": 0.0},
    "mmr.msi_ngs": {"MSI-H": 1.0, "MSI-L": 0.0, "MSS": 0.0},
    "mmr.reported": {"MSI-H": 1.0, "MSI-L": 0.0, "MSS": 0.0},
}
"""Results that count, by test; anything else (equivocal, indeterminate) is unknown here."""


def msi_high(batch: Batch) -> FloatArray:
    """Return 1 where any test says MSI-high or MMR-deficient, 0 where all that were done say not, NaN without one."""
    found = np.full(batch.n, np.nan)
    for path, meaning in _MSI_TESTS.items():
        result = batch.texts[path].gather(lambda text, meaning=meaning: meaning.get(text, np.nan))  # type: ignore[misc]
        found = np.fmax(found, result)
    return found


def comparator_flags(batch: Batch, row: int) -> dict[str, Any]:
    """Return what the published rivals say about one case, for its answer.

    Rules are true, false, or None where it cannot be told; one known positive is enough for MSI-high *or* TMB of 10.
    LORIS comes with the words "score, not a probability" and is left out where its inputs are not known. Empty for
    regimens without checkpoint blockade, about which none of them speaks.
    """
    near, place = batch.near(row)
    key = near.texts["therapy"].text(place)
    if key is None or regimen(key).family not in BLOCKADE_FAMILIES:
        return {}
    tmb, msi, scores = near.reading("published rivals", _rivals)
    flags: dict[str, Any] = {
        "tmb_10_or_more": _truth(tmb[place]),
        "msi_high_or_tmb_10": _either(tmb[place], msi[place]),
    }
    for name, of_cases in scores.items():
        if not isnan(score := of_cases[place]):
            flags[name] = {"score": score, "what": "score, not a probability", "source": LORIS_SOURCE}
    return flags


def _rivals(batch: Batch) -> tuple[list[float], list[float], dict[str, list[float]]]:
    """Return TMB-high and MSI-high (1, 0, NaN) and the scores of LORIS, one number per case."""
    scores = {loris.name: loris.score(batch).tolist() for loris in (LorisPanCancer(), LorisNsclc())}
    return _high(batch.numbers["tmb.mut_per_mb"]).tolist(), msi_high(batch).tolist(), scores


def _truth(value: float) -> bool | None:
    return None if isnan(value) else bool(value)


def _either(first: float, second: float) -> bool | None:
    if 1.0 in (first, second):
        return True
    return None if isnan(first) or isnan(second) else False
