"""Mutational burden: tissue panel mut/Mb on a common scale, its place within the histology, and two other counts.

Whole-exome counts and blood counts (bTMB) are features of their own: they are never turned into mut/Mb, and unknown
is NaN in each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from features import histology, panels
from features.contract import Column, Shown
from features.panel_scale import SMALLEST_PANEL_MB, counting_sd, on_common_scale
from features.vocabulary import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch, FloatArray
    from features.contract import Group

CAP_MUT_PER_MB = 50.0
"""mut/Mb above which more mutations count no more; LORIS's cap (Chang 2024, doi 10.1038/s43018-024-00772-7)."""
HIGH_MUT_PER_MB = 10.0
"""mut/Mb of the pembrolizumab label of 2020 (KEYNOTE-158, PMID 32919526): where the hinge stands."""

SIGN_SOURCE = "PMID 30643254"
"""Samstein 2019: survival after checkpoint blockade rises with TMB across histologies; KEYNOTE-158 for response."""
BLOOD_SOURCE = "PMID 30082870"
"""Gandara 2018: bTMB of 16 or more and benefit from atezolizumab."""
EXOME_SOURCE = "PMID 25765070"
"""Rizvi 2015: nonsynonymous exome burden and response to pembrolizumab."""

_QUARTILES_TO_SD = 1.349
"""Interquartile range of a standard normal distribution."""
_LOG_HIGH = math.log2(1 + HIGH_MUT_PER_MB)
_LOG_CAP = math.log2(1 + CAP_MUT_PER_MB)
PAN_CANCER = "PAN_CANCER"


def _column(name: str, feature: str, unit: str, source: str) -> Column:
    return Column(name, feature, "tmb", unit, 1, source, "indicator", ("checkpoint",))


_COLUMNS = (
    _column("tmb_log2_mut_per_mb", "tmb_mut_per_mb", "log2(1+mut/Mb)", SIGN_SOURCE),
    _column("tmb_log2_above_10_mut_per_mb", "tmb_mut_per_mb", "log2(1+mut/Mb)", "PMID 32919526"),
    _column("tmb_sd_from_histology_median", "tmb_within_histology", "sd", SIGN_SOURCE),
    _column("tmb_log2_exome_count", "tmb_exome_count", "log2(1+mutations)", EXOME_SOURCE),
    _column("tmb_log2_blood_count", "tmb_blood_count", "log2(1+mutations)", BLOOD_SOURCE),
    Column(
        "tmb_log2_mut_per_mb_targeted",
        "tmb_mut_per_mb",
        "tmb",
        "log2(1+mut/Mb)",
        missing="indicator",
        families=("targeted",),
    ),
)
"""Targeted therapy has the burden alone, and no sign: nothing declares which way it points there."""


@dataclass(frozen=True, slots=True)
class Reference:
    """TMB of a histology: median and standard deviation of log2(1 + mut/Mb), from published quartiles."""

    code: str
    median: float
    sd: float
    n: int
    source: str


@lru_cache(maxsize=1)
def _references() -> dict[str, Reference]:
    found = {}
    for row in table("tmb_reference"):
        low, median, high = (
            math.log2(1 + float(row[f"{quartile}_mut_per_mb"])) for quartile in ("p25", "median", "p75")
        )
        sd = (high - low) / _QUARTILES_TO_SD
        found[row["code"]] = Reference(row["code"], median, sd, int(row["n"]), row["source"])
    return found


@lru_cache(maxsize=4096)
def reference_of(code: str) -> Reference:
    """Return the TMB distribution of a histology, of its nearest ancestor that has one, or of all cancers.

    Examples
    --------
    >>> reference_of("LUAD").code, reference_of("THYM").code
    ('NSCLC', 'PAN_CANCER')
    """
    known = _references()
    return known[next((level for level in histology.lineage(code) if level in known), PAN_CANCER)]


def _median_and_sd(code: str) -> tuple[float, float]:
    reference = reference_of(code)
    return reference.median, reference.sd


@dataclass(frozen=True)
class MutationalBurdenBuilder:
    """TMB of tissue panels, of exomes and of blood.

    Assumption: the logarithm of TMB counts, up to a cap; a hinge lets the slope change at 10 mut/Mb. A panel without
    a published calibration keeps its own scale. Unknown is NaN. Learns nothing: the reference is published.
    """

    name: ClassVar[str] = "mutational_burden"
    group: ClassVar[Group] = "tmb"

    def columns(self) -> tuple[Column, ...]:
        """Return value and hinge of panel TMB, its place within the histology, exome and blood counts."""
        return _COLUMNS

    def build(self, batch: Batch) -> FloatArray:
        """Return the columns, shape (n, 6); NaN where unknown."""
        panel = on_common_scale(batch).mut_per_mb
        counts = (batch.numbers["tmb.exome_nonsynonymous_count"], batch.numbers["tmb.blood_count"])
        logs = np.log2(np.array((panel, *counts)) + 1.0)
        value = np.minimum(logs[0], _LOG_CAP)
        median, sd = batch.texts["histology"].gather_rows(_median_and_sd, 2).T
        above, within = np.maximum(value - _LOG_HIGH, 0.0), (value - median) / sd
        return np.array((value, above, within, logs[1], logs[2], value)).T.copy()

    def show(self, batch: Batch, row: int) -> Sequence[Shown]:
        """Return what was reported, how it was changed, and how sure it is."""
        measured = on_common_scale(batch)
        value = float(measured.mut_per_mb[row])
        if math.isnan(value):
            why = ("tissue TMB is not given and cannot be counted",)
            panel = Shown("tmb_mut_per_mb", "tmb", None, "mut/Mb", "TMB not known", (), why)
            within = Shown("tmb_within_histology", "tmb", None, "percentile", "TMB percentile not known", (), why)
        else:
            panel = _shown_panel(batch, row, value, bool(measured.derived[row]))
            within = _shown_within(batch, row, value)
        exome = _shown_count(batch, row, "tmb_exome_count", "tmb.exome_nonsynonymous_count", EXOME_SOURCE)
        blood = _shown_count(batch, row, "tmb_blood_count", "tmb.blood_count", BLOOD_SOURCE)
        return panel, within, exome, blood

    def warnings(self, batch: Batch, row: int) -> Sequence[str]:
        """Warn about TMB that was counted here, of blood, of a small or of an unknown panel."""
        measured = on_common_scale(batch)
        found = _panel(batch, row)
        reported = not math.isnan(batch.numbers["tmb.mut_per_mb"][row])
        warned = []
        if measured.derived[row]:
            warned.append("tmb_derived: TMB was counted from the listed alterations, taken to be all of the panel's")
        if reported and math.isnan(measured.mut_per_mb[row]):
            warned.append("tmb_of_blood: mut/Mb of a blood specimen is not tissue TMB and is not used")
        if reported and found is not None and found.size_mb is not None and found.size_mb < SMALLEST_PANEL_MB:
            warned.append(f"tmb_small_panel: {found.name} has {found.size_mb:g} Mb, under {SMALLEST_PANEL_MB:g}")
        if found is None and batch.texts["assay.panel"].codes[row] >= 0:
            warned.append("panel_unknown: the panel is not in panels.csv; its genes and its TMB scale are unknown")
        return warned

    def fit(self, batch: Batch) -> Self:  # noqa: ARG002 - nothing is learned
        """Return itself: the reference is published."""
        return self

    def parameters(self) -> dict[str, Any]:
        """Return the cap and the hinge, for the record."""
        return {"cap_mut_per_mb": CAP_MUT_PER_MB, "hinge_mut_per_mb": HIGH_MUT_PER_MB}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:  # noqa: ARG003 - nothing is learned
        """Return the builder."""
        return cls()


def _panel(batch: Batch, row: int) -> panels.Panel | None:
    coded = batch.texts["assay.panel"]
    return panels.find(coded.levels[coded.codes[row]]) if coded.codes[row] >= 0 else None


def _shown_panel(batch: Batch, row: int, value: float, derived: bool) -> Shown:
    """Return TMB in words; its scale is among the sources, its error among what is unknown."""
    found = _panel(batch, row)
    sources, unsure = [SIGN_SOURCE], []
    if derived:
        unsure.append("counted from the listed alterations that change a protein")
    if found is not None:
        sources.append(f"panels.csv:{found.name}")
    if found is not None and found.size_mb is not None:
        sd = counting_sd(value, found.size_mb)
        unsure.append(f"counting error (1 sd) {sd:.2g} mut/Mb on {found.size_mb:g} Mb of {found.name}")
    if found is not None and found.calibration is not None:
        sources.append(f"from the scale of {found.name} by {found.calibration.source}")
    else:
        unsure.append("no published calibration of this panel: kept on its own scale")
    notes = [f"counted as {CAP_MUT_PER_MB:g}, the cap"] if value > CAP_MUT_PER_MB else []
    notes += ["derived"] if derived else []
    text = f"TMB {value:.3g} mut/Mb" + (f" ({'; '.join(notes)})" if notes else "")
    return Shown("tmb_mut_per_mb", "tmb", round(value, 6), "mut/Mb", text, tuple(sources), tuple(unsure))


def _shown_within(batch: Batch, row: int, value: float) -> Shown:
    coded = batch.texts["histology"]
    reference = reference_of(coded.levels[coded.codes[row]])
    z = (math.log2(1 + value) - reference.median) / reference.sd
    percentile = min(max(round(50 * (1 + math.erf(z / math.sqrt(2)))), 1), 99)
    among = "all cancers" if reference.code == PAN_CANCER else reference.code
    text = f"TMB at the {ordinal(percentile)} percentile within {among}"
    sources = (reference.source, f"quartiles of {reference.n} tumours")
    return Shown("tmb_within_histology", "tmb", percentile, "percentile", text, sources)


def ordinal(number: int) -> str:
    """Return a number as a rank.

    Examples
    --------
    >>> [ordinal(number) for number in (1, 2, 3, 11, 53, 78)]
    ['1st', '2nd', '3rd', '11th', '53rd', '78th']
    """
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else endings.get(number % 10, 'th')}"


_COUNTS = {"tmb_exome_count": "exome TMB", "tmb_blood_count": "blood TMB"}


def _shown_count(batch: Batch, row: int, feature: str, path: str, source: str) -> Shown:
    value, words = float(batch.numbers[path][row]), _COUNTS[feature]
    if math.isnan(value):
        return Shown(feature, "tmb", None, "mutations", f"{words} not known", (), (path,))
    text = f"{words} {value:g} mutation{'' if value == 1 else 's'}"
    return Shown(feature, "tmb", value, "mutations", text, (source, "a scale of its own, never mut/Mb"))
