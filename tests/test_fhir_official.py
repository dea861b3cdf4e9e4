"""The official bundles over HTTP: each is answered, or refused with the reason, in R4; what they hide is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clinical_app import Clinic, assert_outcome, assert_r4, of_type
from tests.fhir_records import bundle, parameters

pytestmark = pytest.mark.shared

NO_DIAGNOSIS = (
    "Bundle-oncology-report-example.json",
    "Bundle-oncologyexamples-r4.json",
    "Observation-genomic-variant-fusion.json",
    "Observation-gx-genomic-msi.json",
    "Observation-gx-genomic-tmb.json",
    "Observation-gx-genomic-variant-pertinent-negative-nras-kit-braf.json",
    "incomplete-genomicsBundle.json",
)
"""Reports and parts of reports without any diagnosis: nothing is estimated, and what is missing is said."""

SAID = {
    "Bundle-gx-genomic-bundle-adam-anyperson.json": {
        "gene_ids_swapped",
        "gene_conflict",
        "dangling_reference",
        "diagnosis_from_order",
        "copy_number_relative",
    },
    "Condition-primary-cancer-condition-nsclc.json": set(),
    "MedicationRequest-cancer-related-medication-request-gefitinib.json": {"diagnosis_from_order"},
}
"""Bundles that are answered, and what must be said beside the answer (design/clinical.md, traps)."""


@pytest.fixture(scope="module")
def clinic(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    return Clinic(served_models, tmp_path_factory.mktemp("official"))


def official(shared_dir: Path, name: str) -> dict[str, Any]:
    """Return a bundle, or a bundle of the one resource."""
    found: dict[str, Any] = json.loads((shared_dir / "fhir" / name).read_text(encoding="utf-8"))
    return found if found["resourceType"] == "Bundle" else bundle([found])


def test_every_file_is_in_a_table(shared_dir: Path) -> None:
    assert {path.name for path in (shared_dir / "fhir").glob("*.json")} == {*NO_DIAGNOSIS, *SAID}


@pytest.mark.parametrize("name", NO_DIAGNOSIS)
def test_without_a_diagnosis(clinic: Clinic, shared_dir: Path, name: str) -> None:
    for sent in (official(shared_dir, name), parameters(record=official(shared_dir, name))):
        assert_outcome(clinic.predict(sent), 422, "required")


@pytest.mark.parametrize("name", sorted(SAID))
def test_with_a_diagnosis(clinic: Clinic, shared_dir: Path, name: str) -> None:
    response = clinic.predict(parameters(prior_lines=None, record=official(shared_dir, name)))
    assert response.status_code == 200, response.text[:2000]
    assert_r4(response.json())
    [remarks] = of_type(response.json(), "OperationOutcome")
    texts = [one["details"]["text"] for one in remarks["issue"]]
    codes = {text.rpartition("[")[2].rstrip("]") for text in texts}
    assert codes >= {*SAID[name], "prior_lines_source"}


@pytest.mark.parametrize("name", sorted(SAID))
def test_bare(clinic: Clinic, shared_dir: Path, name: str) -> None:
    """Without a therapy, every therapy is ranked."""
    response = clinic.predict(official(shared_dir, name))
    assert response.status_code == 200, response.text[:2000]
    assert_r4(response.json())
    assert of_type(response.json(), "RiskAssessment") or of_type(response.json(), "GuidanceResponse")


def test_a_pertinent_negative_contributes_no_fusion_and_no_mutation(clinic: Clinic, shared_dir: Path) -> None:
    found = clinic.predict(
        parameters(record=official(shared_dir, "Bundle-gx-genomic-bundle-adam-anyperson.json"))
    ).json()
    [resource] = of_type(found, "RiskAssessment") or of_type(found, "GuidanceResponse")
    logged = clinic.log.lookup(resource["identifier"][0]["value"].removeprefix("urn:uuid:")).payload
    assert logged is not None
    request = logged["request"]
    findings = [*request.get("alterations", []), *(one for part in request.get("specimens", [])
                                                  for one in part.get("alterations", []))]  # fmt: skip
    of_negative = [one for one in findings if one["gene"] in {"NRAS", "KIT", "BRAF"}]
    assert {one["gene"] for one in of_negative} == {"NRAS", "KIT", "BRAF"}
    assert {one["status"] for one in of_negative} == {"absent"}
    assert all(one.get("partner") not in {"NRAS", "KIT", "BRAF"} for one in findings)
