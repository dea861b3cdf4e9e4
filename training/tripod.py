"""TRIPOD+AI items of a model card, answered from the run; what the run cannot know is listed as unanswered.

Collins et al., BMJ 2024 (doi:10.1136/bmj-2023-078378). Items about a written article alone (title, abstract,
introduction, discussion) are named as unanswered, not left away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Answer = Callable[[Mapping[str, Any]], str | None]


def _question(key: str) -> Answer:
    return lambda card: (card.get("question") or {}).get(key)


def _said(words: str) -> Answer:
    return lambda card: words  # noqa: ARG005  # every answer takes the card


def _nothing(card: Mapping[str, Any]) -> None:
    del card


def _sources(card: Mapping[str, Any]) -> str:
    sheets = [f"{one['cohort_id']} ({one['role']}; {one['licence'] or 'licence not said'})" for one in _sheets(card)]
    return "; ".join(sheets) or str(card["trained_on"])


def _sheets(card: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return card.get("data_sheet") or ()


def _size(card: Mapping[str, Any]) -> str | None:
    size = card.get("sample_size")
    if size is None:
        return None
    return (
        f"{size['cases']:.0f} cases; Riley's criteria ask for {size['needed']} at "
        f"{size['effective_parameters']:.1f} effective parameters"
    )


def _counts(card: Mapping[str, Any]) -> str | None:
    people = card["population"]
    return f"{people['responders']} responders of {people['cases']} cases" if people.get("cases") else None


def _partition(card: Mapping[str, Any]) -> str | None:
    how = card["resampling"]
    if not how["repeats"]:
        return None
    return f"{how['repeats']} x {how['folds']}-fold cross-validation grouped by patient; external cohorts scored once"


def _performed(card: Mapping[str, Any]) -> str | None:
    found = [one for one in card["performance"] if one["metrics"]]
    return f"{len(found)} sets of patients, each with 95% intervals: see performance" if found else None


def _by_group(card: Mapping[str, Any]) -> str | None:
    return "see subgroups" if card["subgroups"] else None


def _predictors(card: Mapping[str, Any]) -> str:
    return f"{len(card['features'])} features with units and missing policy: see features"


def _denominators(card: Mapping[str, Any]) -> str | None:
    return "; ".join(f"{one['cohort_id']}: {one['denominator']}" for one in _sheets(card)) or None


ITEMS: tuple[tuple[str, str, Answer], ...] = (
    ("1-2", "Title and abstract", _nothing),
    ("3a", "Healthcare context and rationale", _nothing),
    ("3b", "Target population and intended purpose", _question("patients")),
    ("3c", "Known health inequalities", _nothing),
    (
        "4",
        "Objectives: development or evaluation",
        _said("development, internal and, where named, external evaluation"),
    ),
    ("5a", "Sources of data", _sources),
    ("5b", "Dates of the data", _nothing),
    ("6a", "Setting and centres", _nothing),
    ("6b", "Eligibility criteria", _question("patients")),
    ("6c", "Treatments received", _question("therapy")),
    (
        "7",
        "Data preparation",
        _said("manifests map sources to one record; nothing is clipped, imputed or dropped silently"),
    ),
    ("8a", "Outcome and time horizon", _question("outcome")),
    ("8b", "Outcome assessment and denominators", _denominators),
    ("8c", "Blinding of outcome assessment", _nothing),
    ("9a", "Choice of predictors", _said("declared before fitting: builders of the feature table")),
    ("9b", "Predictors, units, when measured", _predictors),
    ("9c", "Subjective assessment of predictors", _nothing),
    ("10", "Sample size", _size),
    ("11", "Missing data", _said("unknown stays unknown: an indicator column per feature, no imputation")),
    ("12a", "How the data were used", _partition),
    (
        "12b",
        "Handling of predictors",
        _said("log scales and hinges as the feature contract says; fitted inside each fold"),
    ),
    (
        "12c",
        "Type of model and tuning",
        _said(
            "evidence + ridge logistic + (if on) boosted trees, affine calibration; penalty by nested cross-validation"
        ),
    ),
    ("12d", "Heterogeneity between clusters", _said("metrics within cohort, never concatenated; cohorts side by side")),
    (
        "12e",
        "Measures of performance",
        _said("discrimination, calibration, overall error, net benefit, with 95% bootstrap intervals"),
    ),
    ("12f", "Model updating", _nothing),
    (
        "12g",
        "How predictions were calculated",
        _said("log-odds = base + contributions; stored artefact, re-scored when loaded"),
    ),
    ("13", "Class imbalance", _said("none corrected: weights would break calibration")),
    ("14", "Fairness", lambda card: " ".join(card["fairness"])),
    (
        "15",
        "Output of the model",
        _said("probability of objective response with a 95% interval, or an abstention with its reason"),
    ),
    (
        "16",
        "Differences between development and evaluation",
        lambda card: _sources(card) if len(_sheets(card)) > 1 else None,
    ),
    ("17", "Ethical approval", _nothing),
    ("18a", "Funding", _nothing),
    ("18b", "Conflicts of interest", _nothing),
    ("18c", "Protocol", _said("docs/architecture.md and the experiment file, logged with the run")),
    ("18d", "Registration", _nothing),
    ("18e", "Availability of data", _sources),
    ("18f", "Availability of code", _said("Apache-2.0, the repository that the run's commit names")),
    ("19", "Patient and public involvement", _nothing),
    (
        "20a",
        "Flow of participants",
        lambda card: (
            f"without outcome, by cohort: {card.get('without_outcome')}" if card.get("without_outcome") else None
        ),
    ),
    ("20b", "Characteristics of participants", _said("table 1 of the report")),
    (
        "20c",
        "Comparison of development and evaluation",
        lambda card: "table 1 of the report" if len(_sheets(card)) > 1 else None,
    ),
    ("21", "Participants and events in each analysis", _counts),
    ("22", "Specification of the model", _said("the artefact: every coefficient, tree and calibration number as text")),
    ("23a", "Performance with intervals", _performed),
    ("23b", "Performance by subgroup", _by_group),
    ("24", "Results of updating", _nothing),
    ("25", "Interpretation", _nothing),
    ("26", "Limitations", lambda card: " ".join(card["limits"])),
    (
        "27a",
        "Poor or unavailable input",
        _said("refused by field with the way out, or an abstention with coded reasons"),
    ),
    ("27b", "Interaction with users", lambda card: card["intended_use"]),
    ("27c", "Next steps for research", _nothing),
)
"""Item number, what it asks, and how a card answers it."""


def answered_items(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the items with their answers and, apart, the numbers of those that nobody has answered."""
    found = [{"item": item, "asks": asks, "answer": answer(card)} for item, asks, answer in ITEMS]
    open_ = [one["item"] for one in found if not one["answer"]]
    return {"source": "doi:10.1136/bmj-2023-078378", "items": found, "unanswered": open_}
