"""Cohorts that are fitted on together: one set of cases, each remembering its cohort; and what may never be pooled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.cohort import Cohort
from features.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from features.batch import Batch, FloatArray
    from features.provenance import Provenance


class CannotPool(Refusal):
    """Cohorts that may not be fitted on together, or a cohort without anything to learn from."""

    code = "cannot_pool"


@dataclass(frozen=True, eq=False)
class Cases:
    """What a fit reads of cases, wherever they lie: columns, outcomes, and whom each case belongs to.

    Attributes
    ----------
    batch
        The cases as columns.
    outcome
        Shape (n,): 1 or 0.
    patients
        Shape (n,): what folds inside the fit are grouped by.
    sites
        Shape (n,): cohort of each case, for the variance between them; None for synthetic cases, whose sites are alike.
    """

    batch: Batch
    outcome: FloatArray
    patients: NDArray[Any]
    sites: NDArray[Any] | None


@dataclass(frozen=True, eq=False)
class Pool:
    """Cases with outcomes of one or several cohorts.

    Attributes
    ----------
    cohort
        The cases of all, with ids that tell the cohorts apart.
    source
        Shape (n,): the cohort id of each case.
    provenances
        Of the cohorts, in order.
    hashes
        Content hash of each cohort as it was loaded.
    without_outcome
        Cases left out because no outcome is known, by cohort id: counted, never dropped silently.
    """

    cohort: Cohort
    source: NDArray[Any]
    provenances: tuple[Provenance, ...]
    hashes: tuple[str, ...]
    without_outcome: dict[str, int]
    same_patients: NDArray[Any] | None = None
    """Shape (n,): ids under which probable same patients of two cohorts are one; None where nobody looked."""

    @classmethod
    def of(cls, cohorts: Sequence[Cohort]) -> Pool:
        """Put cohorts together.

        Raises
        ------
        CannotPool
            When real and synthetic cohorts, or different endpoints, are mixed; or no outcome is known at all.
        """
        provenances = tuple(cohort.provenance for cohort in cohorts)
        _check_alike(provenances)
        known = [np.flatnonzero(~np.isnan(cohort.response)) for cohort in cohorts]
        if not sum(map(len, known)):
            raise CannotPool("no case has an outcome", record=", ".join(p.cohort_id for p in provenances))
        held = [cohort.take(rows) for cohort, rows in zip(cohorts, known, strict=True)]
        source = np.concatenate([np.full(len(c), c.provenance.cohort_id, dtype=object) for c in held]).astype(str)
        left_out = {c.provenance.cohort_id: len(c) - len(rows) for c, rows in zip(cohorts, known, strict=True)}
        return cls(_together(held), source, provenances, tuple(c.content_hash for c in cohorts), left_out)

    def __len__(self) -> int:
        return len(self.cohort)

    @property
    def synthetic(self) -> bool:
        """Whether the cases are synthetic."""
        return self.provenances[0].synthetic

    @cached_property
    def outcome(self) -> FloatArray:
        """Objective response, shape (n,): 1 or 0."""
        return self.cohort.response

    @cached_property
    def patients(self) -> NDArray[Any]:
        """Whom each case belongs to, shape (n,); what splits and resamples are grouped by."""
        if self.same_patients is not None:
            return self.same_patients
        return np.asarray(self.cohort.patient_ids, dtype=np.str_)

    @cached_property
    def histology(self) -> NDArray[Any]:
        """OncoTree code of each case, shape (n,)."""
        return np.asarray([code or "" for code in self.batch().texts["histology"].texts()], dtype=np.str_)

    @cached_property
    def truth(self) -> FloatArray | None:
        """True probability of synthetic cases, None where it is not recorded."""
        table = self.cohort.truth
        if table is None or "probability" not in table.column_names:
            return None
        return np.asarray(table.column("probability").to_numpy(), dtype=np.float64)

    def batch(self) -> Batch:
        """Return the cases as columns."""
        return self.cohort.batch()

    @property
    def cases(self) -> Cases:
        """What a fit reads of the pool."""
        return Cases(self.batch(), self.outcome, self.patients, self.sites)

    @property
    def sites(self) -> NDArray[Any] | None:
        """Cohort of each case; None for synthetic cases."""
        return None if self.synthetic else self.source

    def without_what_is_worked_out(self) -> Pool:
        """Return the same pool as it was made: smaller to send to a process that works things out for itself."""
        return replace(self, cohort=replace(self.cohort))

    def take(self, rows: NDArray[Any]) -> Pool:
        """Return the pool of some of its cases."""
        same = None if self.same_patients is None else self.same_patients[rows]
        return replace(self, cohort=self.cohort.take(rows), source=self.source[rows], same_patients=same)


def _check_alike(provenances: Sequence[Provenance]) -> None:
    if not provenances:
        raise CannotPool("no cohort is named", way_out="Name one under cohorts.development.")
    kinds = {p.synthetic for p in provenances}
    if len(kinds) > 1:
        real = [p.cohort_id for p in provenances if not p.synthetic]
        raise CannotPool(f"synthetic cohorts are mixed with real ones ({', '.join(real)})", way_out="Fit them apart.")
    endpoints = sorted({str(p.endpoint) for p in provenances})
    if len(endpoints) > 1:
        raise CannotPool(f"endpoints {', '.join(endpoints)} are never pooled", way_out="Fit one model per endpoint.")


def _together(cohorts: Sequence[Cohort]) -> Cohort:
    if len(cohorts) == 1:
        return cohorts[0]
    named = [{name: _told_apart(table, c.provenance.cohort_id) for name, table in c.tables.items()} for c in cohorts]
    names = [name for name in named[0] if all(name in tables for tables in named)]
    joined = {name: pa.concat_tables([tables[name] for tables in named]) for name in names}
    together = replace(cohorts[0].provenance, cohort_id="+".join(c.provenance.cohort_id for c in cohorts))
    return Cohort(**joined, provenance=together)


def _told_apart(table: pa.Table, cohort_id: str) -> pa.Table:
    """Put the cohort's id before case and patient ids: "1" of one cohort is not "1" of another."""
    for name in ("case_id", "patient_id"):
        if name in table.column_names:
            ids = pc.binary_join_element_wise(cohort_id, table.column(name).cast(pa.string()), ":")
            table = table.set_column(table.column_names.index(name), name, ids)
    return table
