"""The model card as CHAI's Applied Model Card v0.2 (XML), made from ``card.json``; what is not known is said so.

Schema: https://mc.chai.org/v0.2/schema.xsd, Coalition for Health AI. A test validates it where the schema is at hand.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NAMESPACE = "https://mc.chai.org/v0.2/schema.xsd"

NOT_STATED = "Not stated."
"""Where the schema asks for what neither run nor project knows."""

DISCRIMINATION, CALIBRATION = ("auroc", "auroc_within_histology", "brier_skill"), ("citl", "slope", "ici", "brier")
"""Metrics under usefulness, and under safety and reliability."""


def chai_xml(card: Mapping[str, Any], digest: str) -> bytes:
    """Return the XML of a card; the same card gives the same bytes (no clock: the release date is the registry's)."""
    root = Element("AppliedModelCard", xmlns=NAMESPACE)
    for name, content in _contents(card, digest).items():
        _add(root, name, content)
    indent(root, " ")
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _add(parent: Element, name: str, content: Any) -> None:
    """Add text, a mapping of elements, or a list (the element's name repeated)."""
    if isinstance(content, list):
        for one in content:
            _add(parent, name, one)
        return
    element = SubElement(parent, name)
    if isinstance(content, dict):
        for key, value in content.items():
            _add(element, key, value)
    else:
        element.text = str(content) or NOT_STATED


def _contents(card: Mapping[str, Any], digest: str) -> dict[str, Any]:
    return {
        "BasicInfo": {
            "ModelName": card["name"],
            "ModelDeveloper": "oncorespond",
            "DeveloperContact": "The site that trained it; see its model registry.",
        },
        "ReleaseInfo": {
            "ReleaseStage": "SYNTHETIC demonstration" if card["synthetic"] else "Research",
            "ReleaseDate": "The date of the registered version in the model registry.",
            "ReleaseVersion": digest,
            "GlobalAvailability": "Research use only.",
            "RegulatoryApproval": card["intended_use"],
        },
        "ModelSummary": {"Summary": _summary(card), "Keywords": {"Keyword": _keywords(card)}},
        "UsesAndDirections": _uses(card),
        "Warnings": {
            "KnownRisksAndLimitations": _joined(card["limits"]),
            "KnownBiasesOrEthicalConsiderations": _joined(card["fairness"]),
            "ClinicalRiskLevel": "Not classified: not for diagnosis or treatment decisions.",
        },
        "TrustIngredients": _trust(card),
        "KeyMetrics": _metrics(card),
        "Resources": {
            "EvaluationReferences": card["tripod_ai"]["source"],
            "PeerReviewedPublications": "None.",
            "PatientConsentOrDisclosure": "Consent as each source of the data sheet obtained it; none is added here.",
        },
        "Bibliography": "; ".join(sorted({one["sign_source"] for one in card["features"] if one["sign_source"]}))
        or NOT_STATED,
    }


def _summary(card: Mapping[str, Any]) -> str:
    said = card["question"]
    seen = f"under {said['therapy']}, seen from {said['index_date']}"
    return f"Probability of {said['outcome']} in {said['patients']}, {seen}."


def _keywords(card: Mapping[str, Any]) -> list[str]:
    return [
        "oncology",
        "objective response",
        card["family"],
        card["endpoint"],
        *(["SYNTHETIC"] * bool(card["synthetic"])),
    ]


def _uses(card: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "IntendedUseAndWorkflow": f"{card['intended_use']} {card['no_recommendation']}",
        "PrimaryIntendedUsers": _joined(card["users"]),
        "HowToUse": "Give one case as JSON; read probability, interval, contributions, warnings, or the abstention.",
        "TargetedPatientPopulation": card["question"]["patients"],
        "CautionedOutOfScopeSettings": _joined(card["not_for"]),
    }


def _trust(card: Mapping[str, Any]) -> dict[str, Any]:
    data = [f"{one['cohort_id']} ({one['role']}, {one['licence'] or 'licence not said'})" for one in card["data_sheet"]]
    facts = {
        "OutcomesAndOutputs": f"Probability of response ({card['question']['outcome']}) with a 95% interval.",
        "ModelType": "Sum of published evidence, ridge logistic regression and, where on, boosted trees; calibrated.",
        "FoundationModels": "None.",
        "InputDataSource": _joined(data) or card["trained_on"],
        "OutputAndInputDataTypes": f"{len(card['features'])} features of one case; numbers, codes and truths.",
        "DevelopmentDataCharacterization": json.dumps(card["population"], ensure_ascii=False),
        "BiasMitigationApproaches": _joined(card["fairness"]),
        "OngoingMaintenance": _joined(card["maintenance"]),
        "Security": "The artefact holds no executable code; every file's digest is checked when it is loaded.",
        "Transparency": "Contributions of every answer add up to its log-odds exactly.",
    }
    known = {"FundingSource": NOT_STATED, "ThirdPartyInformation": NOT_STATED, "StakeholdersConsulted": NOT_STATED}
    return {"AISystemFacts": facts, "TransparencyInformation": known}


def _metrics(card: Mapping[str, Any]) -> dict[str, Any]:
    rows = card["performance"]
    groups = [
        {"Label": str(table["title"]), "ValueJson": json.dumps(table["rows"], ensure_ascii=False)}
        for table in card["subgroups"]
    ]
    none = [{"Label": "subgroups", "ValueJson": "null"}]
    return {
        "UsefulnessUsabilityEfficacy": _metric(
            "Ranks better than the base rates and LORIS", _results(rows, DISCRIMINATION), card
        ),
        "FairnessEquity": _metric("As good in every subgroup with 20 cases and 5 events", groups or none, card),
        "SafetyReliability": _metric("Estimates can be read as probabilities", _results(rows, CALIBRATION), card),
    }


def _metric(goal: str, results: list[dict[str, str]], card: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "MetricGoal": goal,
        "Results": {"MetricResult": results},
        "Interpretation": _joined(card["limits"]),
        "TestType": "Repeated cross-validation grouped by patient; external cohorts scored once.",
        "TestingDataDescription": _joined(f"{one['cohort_id']}: {one['role']}" for one in card["data_sheet"]) or "arms",
        "ValidationProcessAndJustification": "Fixed protocol; 95% percentile bootstrap over patients; a gate decides.",
    }


def _results(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, str]]:
    found = [
        {"Label": f"{name}, {row['cohort']} ({row['scene']})", "ValueJson": json.dumps(row["metrics"][name])}
        for row in rows
        for name in names
        if name in row["metrics"]
    ]
    return found or [{"Label": "not judged", "ValueJson": "null"}]


def _joined(sentences: Iterable[str]) -> str:
    return " ".join(one if one.endswith(".") else f"{one}." for one in sentences)
