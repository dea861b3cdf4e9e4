"""The pages over the small models and a log of invented cases, behind the door: what tests of the pages share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from features.case import read_case
from serving import api
from serving.audit.auditor import Auditor
from serving.audit.entries import Decision, Outcome
from serving.audit.keys import generate_keys
from serving.audit.recorded import Asked, recorded_answers
from serving.metrics import ServiceMetrics
from serving.predictor import Predictor
from serving.security.api_keys import ApiKeys
from serving.security.gatekeeper import Gatekeeper, SecuritySettings
from serving.security.limits import Rate
from serving.security.middleware import SecurityMiddleware
from serving.state import ServiceState
from tests.cases import good_case
from tests.ports import listener, port_of, running

HOSTILE = "<script>alert(1)</script>"
LONG = "very " * 38 + "long"

CASES: tuple[dict[str, Any], ...] = (
    {
        "histology": "LUAD",
        "assay": {"panel": "MSK-IMPACT468"},
        "alterations": [
            {"gene": "KRAS", "kind": "mutation", "protein_change": "p.G12C", "vaf": 0.31},
            {"gene": "STK11", "kind": "mutation", "protein_change": "p.Q37*"},
        ],
        "tmb": {"mut_per_mb": 12.3},
        "prior_lines": 1,
        "patient": {"age_years": 63, "sex": "female", "ecog": 1, "albumin_g_per_dl": 3.9, "nlr": 4.2},
    },
    {"histology": "SKCM", "therapy": {"class": "pd1_pdl1+ctla4"}, "tmb": {"mut_per_mb": 30.0}},
    {
        "histology": "COAD",
        "therapy": {"agents": ["encorafenib", "cetuximab"]},
        "alterations": [{"gene": "BRAF", "kind": "mutation", "protein_change": "p.V600E"}],
        "patient": {"ecog": 1, "race": HOSTILE},
        "assay": {"panel": LONG},
    },
    {"histology": "BLCA", "tmb": {"mut_per_mb": 4.0}, "patient": {"ecog": 2, "albumin_g_per_dl": 2.9}},
    {"histology": "THYM", "therapy": {"agents": ["acalabrutinib"]}},
    {
        "histology": "IHCH",
        "stage": "IV",
        "assay": {"panel": "FoundationOne CDx"},
        "alterations": [{"gene": "FGFR2", "kind": "fusion", "partner": "BICC1"}]
        + [{"gene": "TP53", "kind": "mutation", "protein_change": f"p.R{100 + k}W"} for k in range(40)],
        "tmb": {"mut_per_mb": 7.5},
        "mmr": {"ihc": "proficient", "msi_pcr": "MSS"},
        "prior_therapies": [
            {"agents": ["gemcitabine", "cisplatin", "durvalumab"], "line": k, "best_response": "PD"}
            for k in (1, 2, 3, 4)
        ],
        "patient": {
            "age_years": 68,
            "sex": "female",
            "ecog": 0,
            "albumin_g_per_dl": 4.3,
            "nlr": 3.3,
            "hemoglobin_g_per_dl": 11.7,
            "pdl1_tps_percent": 0,
            "ldh_ratio_to_upper_limit": 1.2,
            "brain_metastases": False,
            "liver_metastases": True,
        },
    },
)
"""Invented. The third holds hostile and endless text, the fifth is abstained (nothing is known of its drug), and the
last has more to say than fits on a sheet."""

RICH, HOSTILE_CASE, ABSTAINED, CROWDED = 0, 2, 4, 5


@dataclass
class Site:
    """The application behind its door, its log, and one key of each role."""

    app: Any
    auditor: Auditor
    predictor: Predictor
    keys: dict[str, str]
    ids: list[str]
    routes: list[tuple[str, str]] = field(default_factory=list)

    def client(self, role: str | None = "audit") -> TestClient:
        """A client with the key of a role, or without credentials."""
        headers = {} if role is None else {"authorization": f"Bearer {self.keys[role]}"}
        return TestClient(self.app, base_url="https://testserver", headers=headers, follow_redirects=False)

    def signed_in(self, role: str = "audit") -> tuple[TestClient, str]:
        """A browser's session and the CSRF token of its forms."""
        client = self.client(None)
        answer = client.post("/audit/login", json={"token": self.keys[role]})
        return client, str(answer.json()["csrf_token"])

    @property
    def pages(self) -> list[str]:
        """Every page without parts in its address, and one address of every page with them."""
        found = [path for path, method in self.routes if method == "GET" and path.startswith("/audit")]
        skipped = ("/audit/login", "/audit/charts")
        named = [path.replace("{prediction_id}", self.ids[RICH]) for path in found if not path.startswith(skipped)]
        return [path for path in named if "{" not in path and not path.endswith((".csv", ".parquet", ".svg", ".png"))]


def page(site: Site, path: str, status: int = 200) -> str:
    """Look at a page as an auditor; return its text."""
    answer = site.client().get(path)
    assert answer.status_code == status, (path, answer.text[:400])
    assert answer.headers["content-type"].startswith("text/html")
    return str(answer.text)


def case_of(site: Site, place: int) -> str:
    """Address of the page of one of the site's cases."""
    return f"/audit/predictions/{site.ids[place]}"


@contextmanager
def opened_site(folder: Path, models: Path) -> Iterator[Site]:
    """Make the site in a folder of its own, its log filled, and close it at the end."""
    generate_keys(folder / "keys")
    auditor = Auditor.open(f"sqlite:///{folder / 'audit.db'}", folder / "keys", folder / "audit.heads.jsonl")
    predictor = Predictor.from_folder(models, synthetic=True)
    doors = ApiKeys(folder / "door")
    keys = {role: doors.add(f"a-{role}", [role]) for role in ("predict", "outcome", "audit", "admin")}
    settings = SecuritySettings(
        keys_folder=folder / "door", per_caller=Rate(1e4, 10_000), failed_logins=Rate(1e4, 10_000)
    )
    gatekeeper = Gatekeeper.from_settings(settings)
    state = ServiceState(lambda: predictor, lambda: auditor, ServiceMetrics(), lambda: gatekeeper)
    app = api.create_app(state)
    routes = [(route.path, method) for route in app.routes for method in getattr(route, "methods", ())]
    try:
        ids = _filled(auditor, predictor)
        yield Site(SecurityMiddleware(app, gatekeeper), auditor, predictor, keys, ids, routes)
    finally:
        state.close()
        auditor.close()


def _filled(auditor: Auditor, predictor: Predictor) -> list[str]:
    cases = [
        read_case(good_case(**{"case_id": f"c-{k}", "patient_id": f"p-{k}", **one})) for k, one in enumerate(CASES)
    ]
    answers = recorded_answers(auditor, predictor, cases, Asked("key:ward-7", time.perf_counter()))
    ids = [str(answer["prediction_id"]) for answer in answers]
    auditor.record_event(ids[1], Outcome(best_response="PR"), "key:registry")
    auditor.record_event(ids[3], Outcome(best_response="PD"), "key:registry")
    auditor.record_event(ids[3], Decision(decision="overridden", reason="comorbidity"), "key:ward-7")
    return ids


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an application on this machine for a browser; give its address."""
    found = listener()
    with running(app, found):
        yield f"http://localhost:{port_of(found)}"
