"""Every request that docs/integration.md shows is sent as it stands there, and answered as it says."""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from serving.cds_hooks.discovery import REQUIRED, prefetch_templates
from tests.clinical_app import Clinic, assert_r4, schema
from tests.conftest import ROOT
from tests.served_app import DEV_TOKEN

PAGE = (ROOT / "docs" / "integration.md").read_text(encoding="utf-8")
REQUESTS = [line for line in PAGE.splitlines() if line.startswith("curl ")]
URL = "http://127.0.0.1:3000"


@pytest.fixture(scope="module")
def clinic(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    return Clinic(served_models, tmp_path_factory.mktemp("docs"))


def sent(clinic: Clinic, line: str) -> tuple[str, Any]:
    """Send what a line of curl would; return its path and the response."""
    words = shlex.split(line.replace("$ORP_PUBLIC_URL", URL).replace("$KEY", DEV_TOKEN))
    headers, body = {}, None
    for flag, value in pairwise(words):
        if flag == "-H":
            name, _, content = value.partition(": ")
            headers[name] = content
        if flag == "--data":
            body = (ROOT / value.removeprefix("@")).read_bytes()
    url = next(word for word in words if word.startswith(URL))
    return url.removeprefix(URL), clinic.client.request("POST" if body else "GET", url, headers=headers, content=body)


def test_there_are_requests() -> None:
    assert len(REQUESTS) == 7


@pytest.mark.parametrize("line", REQUESTS)
def test_requests_of_the_page(clinic: Clinic, line: str) -> None:
    path, response = sent(clinic, line)
    if path.endswith("/feedback"):  # its card is a place to put one of one's own
        assert response.status_code == 404
        assert_r4(response.json())
        return
    assert response.status_code == 200, response.text[:2000]
    if path.startswith("/fhir"):
        assert_r4(response.json())
    else:
        schema("response" if "/response-" in path else "discovery").validate(response.json())


def test_a_card_of_the_page_takes_feedback(clinic: Clinic) -> None:
    orders, feedback = (line for line in REQUESTS if "/response-estimate-orders" in line)
    [card] = sent(clinic, orders)[1].json()["cards"]
    document = json.loads((ROOT / "docs" / "examples" / "cds_feedback.json").read_text(encoding="utf-8"))
    schema("feedback").validate(document)
    document["feedback"][0]["card"] = card["uuid"]
    path = sent(clinic, feedback)[0]
    assert clinic.hook(document, path).status_code == 200
    [event] = [one.payload["event"] for one in clinic.log.lookup(card["uuid"]).later if one.payload]
    assert event["reason"] == "tumour_board"


def test_the_page_names_what_is_required() -> None:
    assert set(REQUIRED) <= set(prefetch_templates())
    for key in REQUIRED:
        assert f"`{key}`" in PAGE


def test_the_page_names_every_parameter() -> None:
    from serving.fhir.capability import operation_definition
    from serving.fhir.settings import ClinicalSettings

    parameters = operation_definition(ClinicalSettings("Dr. A. Example", URL))["parameter"]
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert {one["name"] for one in parameters if one["use"] == "in"} <= rows
