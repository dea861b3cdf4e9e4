"""One partition of a training set that does not fit into memory: features once, then sums over its cases.

Every function here takes a partition and gives back something small, so that any number of partitions can be worked
on anywhere and their sums added in order. A case belongs to the held-out twentieth by its patient's name alone:
nothing is fitted on those, and the calibrator and the AUROC are theirs.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.sparse import csr_matrix, vstack

from features.errors import Refusal
from features.flat_batch import read_flat
from models.evidence_bulk import EvidenceInBulk
from models.inputs import logistic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from features.batch import Batch
    from models.boosted import BoostedTerm
    from models.inputs import FloatArray, TableLike
    from models.response import EvidenceLike

OUTCOME = "objective_response"
"""Column of the outcome beside the columns of a case: 1, 0, or null where it is not known."""

HELD_OUT = 20
"""One patient in so many is held out."""

ROWS = 25_000
"""Cases laid out densely at a time: 25 MB at 126 columns."""


class NoOutcome(Refusal):
    """What is to be trained on has no outcome."""

    code: ClassVar[str] = "no_outcome"


@dataclass(frozen=True)
class Partition:
    """Some rows of a Parquet file of flat cases, one outcome each.

    Attributes
    ----------
    url
        The file; local or an address that fsspec knows.
    group
        Row group.
    outcomes
        A file of the same rows that holds the outcome, where it is not beside the cases; None where it is.
    """

    url: str
    group: int
    outcomes: str | None = None

    def read(self, most: int | None = None) -> tuple[pa.Table, FloatArray]:
        """Return the cases and their outcomes, NaN where not known; ``most`` asks for the first rows alone."""
        table = _group(self.url, self.group, most)
        of = table if self.outcomes is None else _group(self.outcomes, self.group, most)
        if OUTCOME not in of.column_names:
            raise NoOutcome(f"has no column {OUTCOME}", record=f"file {self.url.rpartition('/')[2]}")
        y = np.array(of.column(OUTCOME).to_pylist(), dtype=np.float64)
        return table.drop_columns([OUTCOME]) if OUTCOME in table.column_names else table, y


def _group(url: str, group: int, most: int | None) -> pa.Table:
    """Read a row group, or its first rows; a slice of the whole would keep the whole in memory."""
    with fsspec.open(url, "rb") as file:
        found = pq.ParquetFile(file, pre_buffer=False)
        if most is None:
            return found.read_row_group(group, use_threads=False)
        first = islice(found.iter_batches(max(1, most), row_groups=[group], use_threads=False), 1)
        return pa.Table.from_batches(first, found.schema_arrow)


def files_at(place: str) -> list[str]:
    """Return the Parquet files at a place (a file, a folder, a glob; local or an address that fsspec knows), sorted.

    Raises
    ------
    NoOutcome
        When there is none: nothing to train on.
    """
    store, path = fsspec.core.url_to_fs(place)
    found = store.glob(path) if "*" in path else store.find(path)
    files = sorted(store.unstrip_protocol(name) for name in found if name.endswith(".parquet"))
    if not files:
        raise NoOutcome(
            "holds no Parquet file", record=place, way_out="Give a file, a folder or a glob of Parquet files."
        )
    return files


def partitions_of(urls: list[str], outcomes: list[str] | None = None) -> list[Partition]:
    """Return the partitions of files: their row groups, in order."""
    found = []
    for place, url in enumerate(urls):
        with fsspec.open(url, "rb") as file:
            groups = pq.ParquetFile(file).metadata.num_row_groups
        found += [Partition(url, group, None if outcomes is None else outcomes[place]) for group in range(groups)]
    return found


def labelled(partition: Partition, most: int | None = None) -> Iterator[tuple[Batch, FloatArray]]:
    """Yield the cases of a partition that can be read and have an outcome, as batches with their outcomes."""
    table, y = partition.read(most)
    for start in range(0, table.num_rows, ROWS):
        flat = read_flat(table.slice(start, ROWS).combine_chunks())
        for part in flat.parts:
            outcome = y[start + part.rows]
            if np.isnan(outcome).any():
                rows = pa.array(start + part.rows[~np.isnan(outcome)])
                part = read_flat(table.take(rows)).parts[0]
                outcome = y[np.asarray(rows)]
            if part.batch.n:
                yield part.batch, outcome


@dataclass(frozen=True)
class Features:
    """A partition as the terms read it: sparse, because most of a matrix of flags is nought.

    Attributes
    ----------
    matrix
        Shape (n, p), float32; NaN is unknown and stored, 0 is not stored.
    evidence
        Shape (n,).
    part_sums
        Shape (k,): sum of the parts of the evidence over the fitted cases.
    y, held
        Shape (n,): outcome; whether the case is held out.
    """

    matrix: csr_matrix
    evidence: FloatArray
    part_sums: FloatArray
    y: FloatArray
    held: np.ndarray[Any, np.dtype[np.bool_]]

    def fitted(self) -> Features:
        """Return the cases that are fitted on."""
        inside = ~self.held
        return Features(self.matrix[inside], self.evidence[inside], self.part_sums, self.y[inside], self.held[inside])

    def chunks(self, held: bool = False) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
        """Yield matrix, evidence and outcome of the fitted cases (or of the held out), densely, some at a time."""
        rows = np.flatnonzero(self.held == held)
        for start in range(0, len(rows), ROWS):
            here = rows[start : start + ROWS]
            yield self.matrix[here].toarray().astype(np.float64), self.evidence[here], self.y[here]


def features_of(partition: Partition, table: TableLike, evidence: EvidenceLike | None) -> Features:
    """Build the features of a partition: the same function as for one case."""
    told = None if evidence is None else EvidenceInBulk(evidence)
    matrices, values, outcomes, held = [], [], [], []
    part_sums = np.zeros(0)
    for batch, y in labelled(partition):
        inside = ~held_out(batch)
        matrices.append(csr_matrix(table.matrix(batch).astype(np.float32)))
        if told is not None:
            found = told.evaluate(batch)
            values.append(found.log_odds)
            part_sums = found.parts[inside].sum(axis=0) + (part_sums if len(part_sums) else 0.0)
        else:
            values.append(np.zeros(batch.n))
        outcomes.append(y)
        held.append(~inside)
    whole = vstack(matrices, format="csr")
    return Features(
        csr_matrix(whole), np.concatenate(values), part_sums, np.concatenate(outcomes), np.concatenate(held)
    )


def held_out(batch: Batch) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which cases are held out: by the patient's name, or the case's where no patient is named."""
    names = zip(batch.texts["patient_id"].texts(), batch.texts["case_id"].texts(), strict=True)
    marks = [zlib.crc32((patient or case or "").encode()) % HELD_OUT for patient, case in names]
    return np.array([mark == 0 for mark in marks], dtype=np.bool_)


# --- sums ---------------------------------------------------------------------------------------------------------


def moments(features: Features) -> FloatArray:
    """Return count, sum and sum of squares of what is known, by column and, last, of the evidence; shape (3, p + 1)."""
    found = np.zeros((3, features.matrix.shape[1] + 1))
    for matrix, evidence, _ in features.chunks():
        both = np.column_stack([matrix, evidence])
        known = ~np.isnan(both)
        both[~known] = 0.0
        found += np.stack([known.sum(axis=0), both.sum(axis=0), (both**2).sum(axis=0)])
    return found


def curvature(features: Features, centre: FloatArray, scale: FloatArray, beta: FloatArray) -> FloatArray:
    """Return the Hessian and, as last column, the gradient of the log-likelihood at ``beta``; shape (k, k + 1).

    The design is an intercept and the columns and evidence, centred and scaled, unknown values as 0.
    """
    found = np.zeros((len(beta), len(beta) + 1))
    for matrix, evidence, y in features.chunks():
        design = design_of(matrix, evidence, centre, scale)
        p = logistic(design @ beta)
        found[:, :-1] += (design.T * (p * (1 - p))) @ design
        found[:, -1] += design.T @ (y - p)
    return found


def design_of(matrix: FloatArray, evidence: FloatArray, centre: FloatArray, scale: FloatArray) -> FloatArray:
    """Return the design: intercept, columns, evidence."""
    both = (np.column_stack([matrix, evidence]) - centre) / scale
    both[np.isnan(both)] = 0.0
    return np.column_stack([np.ones(len(both)), both])


def starts(features: Features, centre: FloatArray, scale: FloatArray, beta: FloatArray) -> FloatArray:
    """Return w * evidence + linear of the fitted cases: where boosting starts."""
    found = [design_of(matrix, evidence, centre, scale) @ beta for matrix, evidence, _ in features.chunks()]
    return np.concatenate(found) if found else np.zeros(0)


def boosted_sums(features: Features, term: BoostedTerm) -> FloatArray:
    """Return the sums of contributions by column and, last, of the averaged output, over the fitted cases."""
    found = np.zeros(features.matrix.shape[1] + 1)
    for matrix, _, _ in features.chunks():
        contributions, _ = term.contributions(matrix)
        found[:-1] += contributions.sum(axis=0)
        found[-1] += term.outputs(matrix).mean(axis=0).sum()
    return found
