"""The self-test: invented cases that every artefact carries with its answers, re-scored before it answers anyone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from features.case import read_case
from features.from_cases import batch_of
from models.artifact_refusals import SelfTestFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.response import Answers, ResponseModel

LARGEST_DIFFERENCE = 1e-9
"""Log-odds that a re-scored answer may differ from the stored one (design: architecture.md)."""

_BRAF = {"gene": "BRAF", "kind": "mutation", "protein_change": "p.V600E", "vaf": 0.31}
_EGFR = {"gene": "EGFR", "kind": "mutation", "protein_change": "p.L858R"}

INVENTED_CASES: tuple[dict[str, Any], ...] = (
    {"histology": "LUAD", "therapy": {"class": "pd1_pdl1"}},
    {
        "histology": "LUAD",
        "stage": "IV",
        "tmb": {"mut_per_mb": 14.2},
        "prior_lines": 1,
        "prior_systemic_therapy": True,
        "patient": {"age_years": 63.0, "sex": "female", "albumin_g_per_dl": 3.9, "nlr": 4.2, "pdl1_tps_percent": 60.0},
        "therapy": {"agents": ["pembrolizumab"]},
    },
    {
        "histology": "SKCM",
        "tmb": {"mut_per_mb": 31.0},
        "prior_lines": 0,
        "alterations": [_BRAF],
        "patient": {"age_years": 44.0, "sex": "male", "albumin_g_per_dl": 4.4, "nlr": 2.1, "ecog": 0},
        "therapy": {"agents": ["ipilimumab", "nivolumab"]},
    },
    {
        "histology": "COAD",
        "mmr": {"ihc": "deficient", "msi_pcr": "MSI-H"},
        "tmb": {"mut_per_mb": 44.0},
        "therapy": {"agents": ["nivolumab"]},
    },
    {
        "histology": "CCRCC",
        "prior_lines": 2,
        "patient": {"nlr": 8.0, "albumin_g_per_dl": 3.1},
        "therapy": {"agents": ["nivolumab"]},
    },
    {
        "histology": "SKCM",
        "alterations": [_BRAF],
        "prior_lines": 0,
        "therapy": {"agents": ["dabrafenib", "trametinib"]},
    },
    {"histology": "COAD", "alterations": [_BRAF], "prior_lines": 2, "therapy": {"agents": ["vemurafenib"]}},
    {
        "histology": "LUAD",
        "alterations": [_EGFR, {"gene": "EGFR", "kind": "mutation", "protein_change": "p.T790M"}],
        "prior_therapies": [{"agents": ["gefitinib"], "line": 1, "best_response": "PR"}],
        "prior_lines": 1,
        "therapy": {"agents": ["osimertinib"]},
    },
    {
        "histology": "BRCA",
        "alterations": [{"gene": "ERBB2", "kind": "amplification", "copies": 14.0}],
        "prior_lines": 3,
        "therapy": {"agents": ["trastuzumab deruxtecan"]},
    },
    {
        "histology": "LUAD",
        "specimen": {"source": "blood"},
        "assay": {"genes_tested": ["EGFR", "KRAS"]},
        "alterations": [],
        "therapy": {"agents": ["osimertinib"]},
    },
)
"""Invented, no patient's: known and unknown inputs, both families, blood, resistance, a prior therapy of the class."""


def stored_answers(model: ResponseModel) -> dict[str, Any]:
    """Return the self-test as the artefact stores it: the invented cases and this model's answers."""
    return {"cases": list(INVENTED_CASES), "answers": _numbers(_answers(model, INVENTED_CASES))}


def check_self_test(model: ResponseModel, stored: dict[str, Any]) -> float:
    """Re-score the self-test and return the largest difference in log-odds.

    Raises
    ------
    SelfTestFailed
        When an answer's status changed, or a number of it by more than 1e-9; the message names the case and number.
    """
    largest = 0.0
    found = _numbers(_answers(model, stored["cases"]))
    for place, (now, then) in enumerate(zip(found, stored["answers"], strict=True)):
        if now["reasons"] != then["reasons"] or now["features"] != then["features"]:
            raise SelfTestFailed(
                f"case {place}: {now['reasons']} is not {then['reasons']} as stored, or features differ"
            )
        for name in ("log_odds", "low", "high", "base", "phi"):
            gap = float(np.max(np.abs(np.subtract(now[name], then[name]))))
            largest = max(largest, gap)
            if not gap <= LARGEST_DIFFERENCE:
                raise SelfTestFailed(
                    f"case {place}: {name} differs from what was stored by {gap:g}",
                    way_out="Compare the library versions in manifest.json with those installed.",
                )
    return largest


def _answers(model: ResponseModel, cases: Sequence[dict[str, Any]]) -> Answers:
    return model.answers(batch_of([read_case(case) for case in cases]))


def _numbers(answers: Answers) -> list[dict[str, Any]]:
    scores = answers.scores
    return [
        {
            "reasons": answers.reason_codes(row),
            "log_odds": float(scores.log_odds[row]),
            "low": float(scores.low[row]),
            "high": float(scores.high[row]),
            "base": scores.base,
            "phi": scores.phi[row].tolist(),
            "features": list(answers.model.feature_names),
        }
        for row in range(answers.n)
    ]
