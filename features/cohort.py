"""Cohort: cases with outcomes from one source, as columns; a folder of Parquet and ``cohort.json``.

Truth of synthetic cases is kept apart: it is no case field and no outcome, and nothing here joins it to either.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import cohort_files
from features.cohort_batch import batch_of_tables, floats
from features.cohort_cases import case_of, tables_of
from features.cohort_columns import OUTCOMES, SCHEMAS, conform
from features.cohort_refusals import (
    DuplicateCaseId,
    MissingCaseId,
    OutcomeWithoutEndpoint,
    UnknownCaseId,
    WrongOutcome,
)
from features.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from features.batch import Batch, FloatArray
    from features.case import Case

BEST_RESPONSES = ("CR", "PR", "SD", "PD", "NE")
"""RECIST 1.1; NE is not evaluable: no scan after baseline."""


@dataclass(frozen=True)
class Outcome:
    """What happened after the index date, for one case.

    ``objective_response`` is 1, 0 or None; NE counts as 0 where the cohort records it, with the reason kept.
    ``survival_months`` run from the index date to death (``died`` 1) or to the last contact (0).
    """

    objective_response: int | None
    best_response: str | None = None
    reason: str | None = None
    survival_months: float | None = None
    died: int | None = None


@dataclass(frozen=True, eq=False)
class Cohort:
    """Cases, their findings, therapies and outcomes, and where they come from.

    Attributes
    ----------
    cases
        One row per case: flat dotted columns, see :data:`features.cohort_columns.CASES`.
    alterations, specimens, prior_therapies
        One row per finding, further specimen and earlier regimen; ``case_id`` says whose.
    outcomes
        One row per case, in their order.
    truth
        Of synthetic cases: what they were drawn with. Never a feature.

    Examples
    --------
    >>> from features.case import read_case
    >>> case = read_case({"case_id": "c-1", "histology": "LUAD", "therapy": {"class": "pd1_pdl1"}})
    >>> cohort = Cohort.of_cases([case], [Outcome(1, "PR")], Provenance("demo", endpoint="orr"))
    >>> len(cohort), cohort.response.tolist(), cohort.case(0).histology
    (1, [1.0], 'LUAD')
    """

    cases: pa.Table
    alterations: pa.Table
    specimens: pa.Table
    prior_therapies: pa.Table
    outcomes: pa.Table
    provenance: Provenance
    truth: pa.Table | None = None
    build: Mapping[str, Any] | None = None
    """How it was built: rows read and left out, by reason. Not part of the content."""

    def __post_init__(self) -> None:
        for name in SCHEMAS:
            object.__setattr__(self, name, conform(getattr(self, name), name))
        _check_ids(self)
        _check_outcomes(self.outcomes, self.provenance)

    @classmethod
    def of_cases(
        cls,
        cases: Sequence[Case],
        outcomes: Sequence[Outcome | None] | None,
        provenance: Provenance,
        truth: pa.Table | None = None,
    ) -> Cohort:
        """Make a cohort from cases in their order; outcomes None means that none is known."""
        given = [outcome or Outcome(None) for outcome in (outcomes if outcomes is not None else [None] * len(cases))]
        rows = [{"case_id": case.case_id, **vars(outcome)} for case, outcome in zip(cases, given, strict=True)]
        return cls(
            **tables_of(cases), outcomes=pa.Table.from_pylist(rows, schema=OUTCOMES), provenance=provenance, truth=truth
        )

    def __len__(self) -> int:
        return int(self.cases.num_rows)

    def __iter__(self) -> Iterator[Case]:
        """Yield the cases in order; use :meth:`batch` where columns will do."""
        return (self.case(row) for row in range(len(self)))

    @property
    def tables(self) -> dict[str, pa.Table]:
        """All tables by name; ``truth`` only when there is one."""
        found = {name: getattr(self, name) for name in SCHEMAS}
        return found if self.truth is None else {**found, "truth": self.truth}

    @cached_property
    def content_hash(self) -> str:
        """Digest of tables and provenance: what an experiment logs as its data set."""
        return cohort_files.content_hash(self.tables, self.provenance.to_dict())

    @cached_property
    def response(self) -> FloatArray:
        """Objective response, shape (n,): 1, 0, NaN where no outcome is known. NE counts as 0."""
        return floats(self.outcomes.column("objective_response"))

    @cached_property
    def response_if_evaluable(self) -> FloatArray:
        """Objective response among those with a scan after baseline: as :attr:`response`, NE is NaN."""
        not_evaluable = pc.fill_null(pc.equal(self.outcomes.column("best_response"), "NE"), False).to_numpy()
        return np.where(not_evaluable, np.nan, self.response)

    @cached_property
    def survival(self) -> tuple[FloatArray, FloatArray]:
        """Overall survival for evaluation: months and death (1, 0), each of shape (n,), NaN where not known."""
        return floats(self.outcomes.column("survival_months")), floats(self.outcomes.column("died"))

    @cached_property
    def case_ids(self) -> list[str]:
        """Ids of the cases, in order."""
        return list(self.cases.column("case_id").to_pylist())

    @cached_property
    def patient_ids(self) -> list[str]:
        """Whom each case belongs to: what splits are grouped by. A case without a patient id stands for itself."""
        return list(pc.coalesce(self.cases.column("patient_id"), self.cases.column("case_id")).to_pylist())

    @cached_property
    def _batch(self) -> Batch:
        return batch_of_tables(self.tables)

    def batch(self) -> Batch:
        """Return the cases as numpy columns for the builders; computed once."""
        return self._batch

    @cached_property
    def _rows_by_case(self) -> dict[str, dict[str, list[dict[str, Any]]]]:
        found: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for name in ("alterations", "specimens", "prior_therapies"):
            by_case: dict[str, list[dict[str, Any]]] = {}
            for row in getattr(self, name).to_pylist():
                by_case.setdefault(row["case_id"], []).append(row)
            found[name] = by_case
        return found

    def case(self, row: int) -> Case:
        """Return one case as the record that every door speaks."""
        values = self.cases.slice(row, 1).to_pylist()[0]
        lists = [rows.get(values["case_id"], []) for rows in self._rows_by_case.values()]
        return case_of(values, *lists)

    def take(self, rows: Sequence[int] | np.ndarray[Any, Any]) -> Cohort:
        """Return the cohort of some cases, in the given order; truth goes along. A row may be taken once."""
        place = pa.array(np.asarray(rows, dtype=np.int64))
        cases = self.cases.take(place)
        ids = cases.column("case_id").combine_chunks()
        kept = {
            name: table.filter(pc.is_in(table.column("case_id"), value_set=ids))
            for name, table in self.tables.items()
            if name in ("alterations", "specimens", "prior_therapies")
        }
        truth = None if self.truth is None else self.truth.take(place)
        return Cohort(cases=cases, outcomes=self.outcomes.take(place), provenance=self.provenance, truth=truth, **kept)

    def save(self, folder: str | Path) -> Path:
        """Write the cohort to a folder: the same content gives the same bytes."""
        path = Path(folder)
        cohort_files.write_folder(path, self.tables, self.provenance.to_dict(), self.build)
        return path

    @classmethod
    def load(cls, folder: str | Path) -> Cohort:
        """Read and check a cohort's folder.

        Raises
        ------
        CohortNotFound, UnknownCohortFormat, RowCountMismatch, ContentHashMismatch
            The folder is not what it was when it was written.
        DuplicateCaseId, UnknownCaseId, OutcomeWithoutEndpoint, WrongOutcome, PostIndexColumn, UnknownCohortColumn
            Its content cannot be a cohort.
        """
        path = Path(folder)
        described = cohort_files.read_description(path)
        tables = cohort_files.read_tables(path, described["rows"])
        truth = tables.pop("truth", None)
        provenance = Provenance.from_dict(described["provenance"])
        cohort = cls(**tables, provenance=provenance, truth=truth, build=cohort_files.read_build(path))
        cohort.__dict__["content_hash"] = cohort_files.check_hash(cohort.tables, described)
        return cohort


def _check_ids(cohort: Cohort) -> None:
    """Refuse missing and repeated ids, and rows that belong to no case."""
    ids = cohort.cases.column("case_id")
    if ids.null_count:
        raise MissingCaseId(f"{ids.null_count} cases carry no id", field="case_id", record="table cases")
    counts = pc.value_counts(ids.combine_chunks())
    repeated = [entry["values"] for entry in counts.filter(pc.greater(counts.field("counts"), 1)).to_pylist()]
    if repeated:
        raise DuplicateCaseId(
            f"{repeated[0]!r} is given to more than one case"
            + (f", and so are {len(repeated) - 1} other ids" if len(repeated) > 1 else ""),
            field="case_id",
            record="table cases",
            way_out="Give each decision its own id; `patient_id` may repeat. A row that stands twice is taken out.",
        )
    if cohort.outcomes.column("case_id").to_pylist() != ids.to_pylist():
        raise UnknownCaseId("are not the cases in their order", field="case_id", record="table outcomes")
    for name in ("alterations", "specimens", "prior_therapies"):
        own = getattr(cohort, name).column("case_id")
        strangers = pc.unique(own.filter(pc.invert(pc.is_in(own, value_set=ids.combine_chunks())))).to_pylist()
        if strangers:
            raise UnknownCaseId(
                f"{len(strangers)} ids belong to no case, the first is {strangers[0]!r}",
                field="case_id",
                record=f"table {name}",
            )


def _check_outcomes(outcomes: pa.Table, provenance: Provenance) -> None:
    """Refuse outcomes without an endpoint, and responses that contradict the best response."""
    response = floats(outcomes.column("objective_response"))
    known = ~np.isnan(response)
    if known.any() and provenance.endpoint is None:
        raise OutcomeWithoutEndpoint(
            f"{int(known.sum())} outcomes are given and `endpoint` is null",
            field="endpoint",
            record="provenance",
            allowed=("orr", "dcb", "shrinkage30", "pcr"),
            way_out="Say which kind of response it is; kinds are never pooled.",
        )
    if not np.isin(response[known], (0.0, 1.0)).all():
        raise WrongOutcome(
            "is neither 0 nor 1", field="objective_response", record="table outcomes", allowed=(0, 1, "null")
        )
    _check_best_response(outcomes, response, provenance)


def _check_best_response(outcomes: pa.Table, response: FloatArray, provenance: Provenance) -> None:
    best = np.array(outcomes.column("best_response").to_pylist(), dtype=object)
    unknown = {value for value in best.tolist() if value is not None} - set(BEST_RESPONSES)
    if unknown:
        seen = sorted(map(str, unknown))[0]
        raise WrongOutcome(
            f"{seen!r} is no best response", field="best_response", record="table outcomes", allowed=BEST_RESPONSES
        )
    if provenance.endpoint != "orr":
        return
    responded = np.isin(best, ("CR", "PR"))
    wrong = (best != None) & ~np.isnan(response) & (responded != (response == 1))  # noqa: E711  # elementwise
    if wrong.any():
        raise WrongOutcome(
            f"{int(wrong.sum())} objective responses contradict the best response (CR and PR are 1, others 0)",
            field="objective_response",
            record="table outcomes",
        )
