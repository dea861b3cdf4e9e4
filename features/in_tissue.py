"""Within a tissue: what a marker does in one tissue beside what it does everywhere, as columns of the marker's feature.

Mismatch-repair deficiency, mutational burden and gene alterations do not mean the same in every tumour (STK11 loss
speaks in the lung; a burden of 12 mut/Mb is high in the breast and plain in melanoma). For each tissue (the top of the
OncoTree lineage) with enough training cases on either side there is one column: the marker's value in that tissue, 0 in
others. It belongs to the marker's own feature, so an answer keeps one contribution for it, and is a deviation: without
a column the marker does what it does everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from features import histology
from features.alteration_columns import CHECKPOINT, COLUMNS, PLACE, STATUSES, TOGETHER
from features.alterations import AlterationsBuilder, counted, statuses, together
from features.batch import MOST_KEPT
from features.contract import Column, Shown
from features.finding_levels import assays, from_blood
from features.mismatch_repair import MismatchRepairBuilder, status_in
from features.mutational_burden import CAP_MUT_PER_MB, SIGN_SOURCE, MutationalBurdenBuilder, reference_of
from features.panel_scale import on_common_scale
from features.regimens import regimen
from features.therapy_in_histology import BLOCKADE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch, FloatArray, IntArray
    from features.contract import Builder, Group

IN = "__in_"
"""Between the name of a marker's column and a tissue: ``stk11_loss__in_LUNG``; models give these a pool of their own
(:mod:`models.selected_prior`)."""

LEAST_CASES = 30
"""Training cases of a tissue with the marker, and without it, that a column needs: with 30 on the smaller side the
difference of two log-odds has a standard error of 0.4 at a rate of 0.25; fewer cannot tell a large effect from none."""

STEPS_MUT_PER_MB = (10.0, 20.0)
"""Where the burden may step up: 10 is the label's (KEYNOTE-158, PMID 32919526), 20 where high begins in Goodman 2017
(PMID 28835386). A threshold is where assays and trials have cut, never one that was found in data."""

STEP_SOURCES = ("PMID 32919526", "PMID 28835386")


@dataclass(frozen=True)
class InTissueBuilder:
    """What the three builders share; a marker is a column of numbers, unknown is NaN.

    Assumption: the tissue is the root of the OncoTree lineage. Unknown stays unknown in every column of a feature,
    whichever the tissue; a tissue that training did not have, or had too seldom, has no column and no deviation.

    Attributes
    ----------
    levels
        Pairs of the marker's name and a tissue that have a column, sorted; empty before ``fit``.
    """

    levels: tuple[tuple[str, str], ...] = ()

    name: ClassVar[str]
    group: ClassVar[Group]
    markers: ClassVar[tuple[Column, ...]]
    everywhere: ClassVar[tuple[Column, ...]] = ()
    """Markers that have a column for all tissues here too, because no other builder has one."""
    of_feature: ClassVar[type[Builder]]
    """The builder that shows the features."""

    def values(self, batch: Batch) -> FloatArray:
        """Return the markers, shape (n, len(markers)); NaN is unknown."""
        raise NotImplementedError

    def columns(self) -> tuple[Column, ...]:
        """Return the columns for all tissues, then one per level."""
        return self._columns

    @cached_property
    def _columns(self) -> tuple[Column, ...]:
        within = (
            replace(self.markers[place], name=f"{marker}{IN}{tissue}", expected_sign=0, sign_source="")
            for place, (marker, tissue) in zip(self._marker[len(self.everywhere) :].tolist(), self.levels, strict=True)
        )
        return (*self.everywhere, *within)

    @cached_property
    def _marker(self) -> IntArray:
        """Return the place of each column's marker: those for all tissues, then those of the levels."""
        names = [marker.name for marker in self.markers]
        wanted = (*(marker.name for marker in self.everywhere), *(marker for marker, _ in self.levels))
        return np.array([names.index(name) for name in wanted], dtype=np.int64)

    @cached_property
    def _rows(self) -> dict[str, FloatArray]:
        """Return by histology code, as it is met, 1 for each column that counts there."""
        return {}

    def _row(self, code: str) -> FloatArray:
        row = self._rows.get(code)
        if row is None:
            here = [tissue == tissue_of(code) for _, tissue in self.levels]
            row = self._rows[code] = np.array([True] * len(self.everywhere) + here, dtype=np.float64)
        return row

    def build(self, batch: Batch) -> FloatArray:
        """Return the columns, shape (n, columns); NaN where the marker is unknown, 0 in other tissues."""
        if not self._columns:
            return np.zeros((batch.n, 0))
        block = self.values(batch)[:, self._marker]
        if self.levels:
            code = batch.texts["histology"]
            rows = np.array([*map(self._row, code.levels), self._row_of_unknown])
            block *= rows[code.codes]  # -1, an unknown code, is the last row
        return block

    @cached_property
    def _row_of_unknown(self) -> FloatArray:
        return np.array([1.0] * len(self.everywhere) + [0.0] * len(self.levels))

    def fit(self, batch: Batch) -> Self:
        """Return the builder with the levels of these training cases.

        A flag needs :data:`LEAST_CASES` cases of the tissue with it and as many known to be without it; a number
        twice as many that know it. What only one tissue has gets no column: it is the same everywhere.
        """
        codes = batch.texts["histology"]
        if not codes.levels or not any(regimen(key).family in BLOCKADE for key in batch.texts["therapy"].levels):
            return type(self)()  # no column would be used: findings need not be read
        values, tissues = self.values(batch), sorted({tissue_of(code) for code in codes.levels})
        number = {tissue: float(place) for place, tissue in enumerate(tissues)}
        place = codes.gather(lambda code: number[tissue_of(code)], unknown=-1.0)
        kept = []
        for marker, column in enumerate(self.markers):
            one = values[:, marker]
            for tissue in tissues:
                here = place == number[tissue]
                if _enough(one[here], column) and not _same(one[~here]):
                    kept.append((column.name, tissue))
        return type(self)(tuple(sorted(kept)))

    def show(self, batch: Batch, row: int) -> Sequence[Shown]:
        """Return the features as their own builder shows them, and which of them count apart in this tissue."""
        features = {column.feature for column in self._columns}
        if not features:
            return ()
        tissue = _tissue_at(batch, row)
        within = zip(self._columns[len(self.everywhere) :], self.levels, strict=True)
        apart = {column.feature for column, (_, at) in within if at == tissue}
        return [
            replace(one, sources=(*one.sources, f"counted apart in {tissue}")) if one.feature in apart else one
            for one in self.of_feature().show(batch, row)
            if one.feature in features
        ]

    def warnings(self, batch: Batch, row: int) -> Sequence[str]:  # noqa: ARG002 - the markers' own builders warn
        """Return nothing."""
        return ()

    def parameters(self) -> dict[str, Any]:
        """Return the learned levels."""
        return {"levels": [list(level) for level in self.levels]}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Return the builder that :meth:`parameters` came from."""
        return cls(tuple((marker, tissue) for marker, tissue in parameters["levels"]))


def tissue_of(code: str) -> str:
    """Return the tissue of an OncoTree code, the root of its lineage.

    Examples
    --------
    >>> tissue_of("LUAD"), tissue_of("LUNG")
    ('LUNG', 'LUNG')
    """
    return histology.lineage(code)[-1]


def _tissue_at(batch: Batch, row: int) -> str:
    coded = batch.texts["histology"]
    place = int(coded.codes[row])
    return tissue_of(coded.levels[place]) if place >= 0 else ""


def _enough(values: FloatArray, column: Column) -> bool:
    known = values[~np.isnan(values)]
    if column.unit != "flag":
        return known.size >= 2 * LEAST_CASES and bool(np.ptp(known) > 0)
    raised = int((known != 0).sum())
    return raised >= LEAST_CASES and known.size - raised >= LEAST_CASES


def _same(elsewhere: FloatArray) -> bool:
    known = elsewhere[~np.isnan(elsewhere)]
    return not known.size or not bool(known.any())


class MismatchRepairInTissueBuilder(InTissueBuilder):
    """Mismatch-repair deficiency within a tissue; what it is everywhere is in :mod:`features.mismatch_repair`.

    Examples
    --------
    >>> from features.case import read_case
    >>> from features.from_cases import batch_of
    >>> raw = {"therapy": {"agents": ["pembrolizumab"]}, "mmr": {"ihc": "deficient"}}
    >>> batch = batch_of([read_case({**raw, "histology": code}) for code in ("COAD", "UCEC")])
    >>> MismatchRepairInTissueBuilder((("mmr_deficient", "BOWEL"),)).build(batch).tolist()
    [[1.0], [0.0]]
    """

    name = "mismatch_repair_in_tissue"
    group: ClassVar[Group] = "mmr"
    markers = MismatchRepairBuilder().columns()[:1]
    of_feature = MismatchRepairBuilder

    def values(self, batch: Batch) -> FloatArray:
        """Return deficiency, shape (n, 1)."""
        return status_in(batch).deficient[:, None]


def _burden_column(name: str, unit: str, source: str) -> Column:
    return Column(name, "tmb_mut_per_mb", "tmb", unit, 1, source, "indicator", CHECKPOINT)


_STEPS = tuple(
    _burden_column(f"tmb_from_{cut:g}_mut_per_mb", "flag", source)
    for cut, source in zip(STEPS_MUT_PER_MB, STEP_SOURCES, strict=True)
)


class BurdenInTissueBuilder(InTissueBuilder):
    """TMB of tissue panels: a step up at two cut-points, and within a tissue steps and a slope of its own.

    Assumption: as :mod:`features.mutational_burden`, and that a burden may count from a threshold on. The slope is
    measured from the published median of the histology, so that it is a slope and no second level of the tissue. A
    deviation has no declared sign: an experiment that keeps the sign of TMB (``signs: [tmb]``) leaves this builder out.
    """

    name = "mutational_burden_in_tissue"
    group: ClassVar[Group] = "tmb"
    markers = (*_STEPS, _burden_column("tmb_log2_from_median", "log2(1+mut/Mb)", SIGN_SOURCE))
    everywhere = _STEPS
    of_feature = MutationalBurdenBuilder

    def values(self, batch: Batch) -> FloatArray:
        """Return the steps and the distance from the histology's median, shape (n, 3)."""
        panel = on_common_scale(batch).mut_per_mb
        median = batch.texts["histology"].gather(lambda code: reference_of(code).median)
        unknown, log = np.isnan(panel), np.log2(1.0 + np.minimum(panel, CAP_MUT_PER_MB))
        steps = (np.where(unknown, np.nan, panel >= cut) for cut in STEPS_MUT_PER_MB)
        return np.stack([*steps, np.where(unknown, np.nan, log - median)], axis=1)


_NAMES = (*(one.name for one in STATUSES), *(pair[0] for pair in TOGETHER))
_PLACES = np.array([PLACE[name] for name in _NAMES])


class AlterationsInTissueBuilder(InTissueBuilder):
    """Gene alterations, pathways and pairs within a tissue; a pathway speaks for genes that have no column (NRAS)."""

    name = "alterations_in_tissue"
    group: ClassVar[Group] = "alterations"
    markers = tuple(replace(COLUMNS[place], families=CHECKPOINT) for place in _PLACES)
    of_feature = AlterationsBuilder

    def values(self, batch: Batch) -> FloatArray:
        """Return the status of genes, pathways and pairs, shape (n, markers)."""
        if batch.n <= MOST_KEPT:  # kept since the columns of alterations were built
            return AlterationsBuilder().build_for(batch, "checkpoint")[:, _PLACES]
        blood = from_blood(batch)
        grid = statuses(batch, counted(batch.findings, batch.n, blood), blood, assays(batch))
        return np.concatenate([grid, together(grid)], axis=1)
