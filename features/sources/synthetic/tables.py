"""From blocks to the tables of a cohort: dotted columns, and rows for findings, earlier therapies and outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import expit

from features.flat import FLAT_FIELDS
from features.sources.synthetic.findings import levels
from features.sources.synthetic.genomics import PASSENGER_GENES
from features.sources.synthetic.history import MOST_LINES
from features.sources.synthetic.outcomes import BEST_RESPONSES
from features.sources.synthetic.regimens import regimens, scenarios
from features.sources.synthetic.tissues import figure, histologies, markers
from features.vocabulary import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from features.batch import FloatArray, IntArray
    from features.sources.synthetic.draft import Draft, Missingness
    from features.sources.synthetic.findings import Found
    from features.sources.synthetic.masking import Recorded

_ARROW = {"number": pa.float64(), "integer": pa.int64(), "truth": pa.bool_()}
_NUMPY: dict[str, type] = {"number": np.float64, "integer": np.int64, "truth": np.bool_}
FAMILY_LETTER = {"checkpoint": "c", "targeted": "t"}
GENES = tuple(
    sorted(
        {row["gene"] for row in figure("markers")}
        | {row["gene"] for row in table("driver_alterations") if row["gene"]}
        | set(PASSENGER_GENES)
    )
)
"""Genes tested in complete cases: all that the generator can alter and all that any driver class names."""


def coded_text(codes: IntArray, names: Sequence[str], known: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return texts by place in ``names``; null where the place is -1 or the field unknown."""
    hidden = codes < 0 if known is None else (codes < 0) | ~known
    return pa.array(names, type=pa.string()).take(pa.array(np.where(hidden, 0, codes), mask=hidden))


def case_ids(draft: Draft, seed: int, first: int) -> pa.Array:
    """Return ids such as ``syn7-c-harbour-2019-0000012``: seed, family, site, year, place in the stream."""
    sites = pa.array([row["site"] for row in figure("sites")])
    head = pa.scalar(f"syn{seed}-{FAMILY_LETTER[draft.family]}")
    place = pc.utf8_lpad(pa.array(np.arange(first, first + draft.n)).cast(pa.string()), 7, "0")
    site, year = sites.take(pa.array(draft.site)), pa.array(draft.year).cast(pa.string())
    return pc.binary_join_element_wise(head, site, year, place, "-")


def cases_table(draft: Draft, ids: pa.Array, recorded: Recorded, missingness: Missingness) -> pa.Table:
    """Return one row per case with the fields that are recorded."""
    columns: dict[str, pa.Array] = {"case_id": ids, "patient_id": pc.binary_join_element_wise("p", ids, "-")}
    columns |= _numbers(draft, recorded) | _texts(draft, recorded)
    columns["prior_systemic_therapy"] = pa.array(draft.numbers["prior_lines"] > 0)
    columns["therapy"] = _therapy(draft, recorded)
    columns["assay.genes_tested"] = _genes_tested(draft, recorded, missingness)
    columns["alterations_recorded"] = pa.array(recorded.alterations)
    columns["prior_therapies_recorded"] = pa.array(recorded.priors)
    columns["specimens_recorded"] = pa.array(np.zeros(draft.n, dtype=np.bool_))
    return pa.table(columns)


def _numbers(draft: Draft, recorded: Recorded) -> dict[str, pa.Array]:
    found = {}
    for field in FLAT_FIELDS:
        values = draft.numbers.get(field.path)
        if values is None or field.kind == "text":
            continue
        hidden = np.isnan(values) | ~recorded.known(field.path, draft.n)
        plain = np.where(hidden, 0, values)
        found[field.path] = pa.array(plain.astype(_NUMPY[field.kind]), mask=hidden, type=_ARROW[field.kind])
    return found


def _texts(draft: Draft, recorded: Recorded) -> dict[str, pa.Array]:
    numbers = draft.numbers
    panels = [row["panel"] for row in figure("assays")]
    smoking = (numbers["ever_smoker"] + numbers["current_smoker"]).astype(np.int64)
    imdc = np.nan_to_num(numbers["imdc"], nan=-1).astype(np.int64)
    blood = draft.in_assays("blood").astype(np.int64)
    codes: dict[str, tuple[IntArray, Sequence[str]]] = {
        "histology": (draft.histology, histologies().codes),
        "stage": (numbers["stage_iv"].astype(np.int64), ("III", "IV")),
        "specimen.source": (blood, ("tissue", "blood")),
        "assay.panel": (np.where(np.array(panels)[draft.assay] == "", -1, draft.assay), panels),
        "mmr.ihc": (numbers["ihc"].astype(np.int64), ("proficient", "deficient", "equivocal")),
        "mmr.msi_pcr": (numbers["pcr"].astype(np.int64), ("MSS", "MSI-H", "MSI-L")),
        "mmr.msi_ngs": (numbers["deficient"].astype(np.int64), ("MSS", "MSI-H")),
        "patient.sex": (numbers["male"].astype(np.int64), ("female", "male")),
        "patient.smoking": (smoking, ("never", "former", "current")),
        "patient.imdc_risk": (imdc, ("favorable", "intermediate", "poor")),
    }
    return {path: coded_text(c, names, recorded.known(path, draft.n)) for path, (c, names) in codes.items()}


def _therapy(draft: Draft, recorded: Recorded) -> pa.Array:
    known = regimens(draft.family)
    names = (*known.keys, *(f"class:{name}" for name in known.classes))
    return coded_text(draft.regimen + len(known.keys) * recorded.class_only, names)


def _genes_tested(draft: Draft, recorded: Recorded, missingness: Missingness) -> pa.Array:
    """All genes in complete cases; else the one gene of a single test, or null: the panel says what it covers."""
    if missingness == "none":
        return pa.array(["|".join(GENES)]).take(pa.array(np.zeros(draft.n, dtype=np.int64)))
    gene_of = [row["gene"] for row in figure("markers")]
    names = [gene_of[first] for first in markers().first]
    marker = scenarios().marker[draft.scenario] if draft.family == "targeted" else np.full(draft.n, -1)
    return coded_text(marker, names, recorded.marker_only)


def alterations_table(found: Found, ids: pa.Array) -> pa.Table:
    """Return one row per finding."""
    level = pa.array(found.level)
    columns = {name: values.take(level) for name, values in levels().items()}
    return pa.table(
        {
            "case_id": ids.take(pa.array(found.row)),
            **columns,
            "status": pa.array(["present"]).take(pa.array(np.zeros(len(found.row), dtype=np.int64))),
            "vaf": pa.array(found.vaf, mask=np.isnan(found.vaf)),
            "copies": pa.array(found.copies, mask=np.isnan(found.copies)),
        }
    )


def prior_table(draft: Draft, ids: pa.Array, recorded: Recorded) -> pa.Table:
    """Return one row per earlier line of the cases whose list is recorded."""
    row, line = np.nonzero((draft.prior_agents != "") & recorded.priors[:, None])
    days = {
        name: np.stack([draft.numbers[f"{name}.{k}"] for k in range(MOST_LINES)], axis=1)[row, line]
        for name in ("started", "ended")
    }
    found, codes = np.unique(draft.prior_agents[row, line], return_inverse=True)
    keys = ["+".join(sorted(key.split("+"))) for key in found.tolist()] or [""]
    zeros = np.zeros(len(row), dtype=np.int64)
    return pa.table(
        {
            "case_id": ids.take(pa.array(row)),
            "therapy": coded_text(codes.astype(np.int64), keys),
            "line": pa.array(line + 1),
            "setting": pa.array(["metastatic"]).take(pa.array(zeros)),
            **{f"{name}_days_before_index": pa.array(values) for name, values in days.items()},
        }
    )


def outcomes_table(ids: pa.Array, response: FloatArray, best: IntArray) -> pa.Table:
    """Return one row per case; who was not evaluable did not respond, and the reason is kept."""
    reasons = coded_text(np.where(best == BEST_RESPONSES.index("NE"), 0, -1), ("no scan after baseline",))
    return pa.table(
        {
            "case_id": ids,
            "objective_response": pa.array(response),
            "best_response": coded_text(best, BEST_RESPONSES),
            "reason": reasons,
        }
    )


def truth_table(
    ids: pa.Array, groups: Mapping[str, FloatArray], intercept: float, parts: Mapping[str, FloatArray]
) -> pa.Table:
    """Return the truth: probability, log-odds, intercept, the eight groups that add up to the log-odds with it.

    Behind them stand the parts of the evidence, which add up to the column ``evidence``.
    """
    log_odds = intercept + np.sum(list(groups.values()), axis=0)
    return pa.table(
        {
            "case_id": ids,
            "probability": expit(log_odds),
            "log_odds": log_odds,
            "intercept": np.full(len(log_odds), intercept),
            **groups,
            **parts,
        }
    )
