"""What speaks against taking one estimate of a ranking at its word: what undoes the therapy, and what is not supported.

Both are facts about this case and the published arms, in words; neither moves the estimate, which has read them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.alteration_shown import findings_of
from features.driver_classes import row as driver_class
from features.errors import listed
from features.matching import needs_of
from features.regimens import regimen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from features.matching import Match
    from features.regimens import RegimenFacts
    from models.response import Answers

_LEVELS = {
    "other_histology": "the match has evidence in other histologies only",
    "refuted": "a trial of this match in this histology refuted it",
    "none": "the match has no evidence of its own in this histology",
}


def support_of(answers: Answers, row: int) -> dict[str, Any]:
    """Return ``match``, ``undone_by`` and ``not_supported`` of one answer, JSON-ready.

    ``undone_by.present`` are resistance classes found in this case, ``undone_by.known`` all that the vocabulary knows
    to undo this therapy, and ``undone_by.looked_for`` says whether findings were given at all; ``not_supported`` are
    coded statements, none when published evidence speaks to this very case.
    """
    found = findings_of(answers.batch, row)
    facts = regimen(found.regimen)
    return {
        "match": {"status": found.match.status, "level": found.match.level, "classes": list(found.match.class_ids)},
        "undone_by": {
            "present": [_undoing(one) for one in found.match.resistance_ids],
            "known": list(facts.undone_by),
            "looked_for": found.recorded,
        },
        "not_supported": [
            {"code": code, "text": text} for code, text in _not_supported(answers, row, found.match, facts)
        ],
    }


def _undoing(identity: str) -> dict[str, str]:
    known = driver_class(identity)
    return {"class": identity, "name": known.name, "source": known.source}


def _not_supported(answers: Answers, row: int, match: Match, facts: RegimenFacts) -> Iterator[tuple[str, str]]:
    evidence = answers.inputs.evidence
    if evidence is None:
        yield "no_evidence_term", "this model reads no published arms"
    elif not evidence.covered[row]:
        yield "no_published_arm", "no published arm speaks to this therapy in a case like this"
    cases = answers.model.applicability.class_cases.get(facts.therapy_class, 0)
    if cases == 0:
        yield "class_not_trained", f"no training case was treated with the class {facts.therapy_class}"
    genes = listed([gene for gene, _ in needs_of(facts.key).by_gene])
    by_status = {
        "unmatched": f"what this therapy is chosen by was looked for and not found ({genes})",
        "wrong_class": f"the target is altered, but not in a class that this therapy is given for ({genes})",
        "untested": f"what this therapy is chosen by was not tested ({genes})",
        "not_detected": f"what this therapy is chosen by was not detected in blood, which is not wild-type ({genes})",
    }
    if match.status in by_status:
        yield f"target_{match.status}", by_status[match.status]
    elif match.status == "matched" and match.level in _LEVELS:
        yield f"match_{match.level}", _LEVELS[match.level]
