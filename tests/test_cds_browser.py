"""A CDS client in a browser: preflight, signed tokens, cards and feedback from a page of another origin.

It stands in for the cds-hooks sandbox, whose source no package registry has: it does what the sandbox does (discovery,
one ES384 token per call with the address as its audience, order-select, feedback) through a browser's own rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from starlette.responses import HTMLResponse

from serving.adapters import told_clinically
from serving.api import create_app
from serving.audit.used_tokens import UsedTokens
from serving.cds_hooks.client_token import HookClients
from serving.metrics import ServiceMetrics
from serving.predictor import Predictor
from serving.security.gatekeeper import Gatekeeper, SecuritySettings
from serving.security.limits import Rate
from serving.security.middleware import SecurityMiddleware
from serving.state import ServiceState
from tests.audit_log import open_log
from tests.browsers import browser
from tests.clinical_app import NAME, ORDERS
from tests.fhir_records import order_select
from tests.guarded import KID, private_key
from tests.ports import HOST, listener, port_of, running
from tests.test_cds_client_token import EHR, issuers

CLIENT = """<!doctype html><meta charset="utf-8"><title>an invented EHR</title><div id="cards"></div><script>
const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const part = (object) => text(new TextEncoder().encode(JSON.stringify(object)));
async function token(audience) {
  const curve = {name: "ECDSA", namedCurve: "P-384"};
  const key = await crypto.subtle.importKey("jwk", KEY, curve, false, ["sign"]);
  const now = Math.floor(Date.now() / 1000);
  const claims = {iss: ISSUER, aud: audience, iat: now, exp: now + 300, jti: crypto.randomUUID()};
  const signed = part({alg: "ES384", kid: KID, typ: "JWT"}) + "." + part(claims);
  const mark = await crypto.subtle.sign({name: "ECDSA", hash: "SHA-384"}, key, new TextEncoder().encode(signed));
  return signed + "." + text(mark);
}
async function ask(path, body) {
  const headers = {authorization: "Bearer " + await token(SERVICE + path)};
  if (body) headers["content-type"] = "application/json";
  const answer = await fetch(SERVICE + path, {method: body ? "POST" : "GET", headers, body: JSON.stringify(body)});
  return {status: answer.status, body: await answer.json()};
}
function show(cards) {
  for (const card of cards) {
    const shown = document.createElement("article");
    shown.innerHTML = "<h2></h2><div></div>";
    shown.querySelector("h2").textContent = card.summary;
    shown.querySelector("div").innerHTML = card.detail;  // as a careless client would
    document.querySelector("#cards").append(shown);
  }
}
</script>"""


@pytest.fixture(scope="module")
def hospital(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The service, a listed origin and one that is not listed, each on a port of its own."""
    folder = tmp_path_factory.mktemp("hospital")
    service, ehr, stranger = listener(), listener(), listener()
    url, ehr_url, stranger_url = (f"http://{HOST}:{port_of(one)}" for one in (service, ehr, stranger))
    app, log = service_app(served_models, folder, url, ehr_url)
    key: dict[str, Any] = jwt.algorithms.ECAlgorithm.to_jwk(private_key(KID), as_dict=True)
    named = {"KEY": key, "ISSUER": EHR, "KID": KID, "SERVICE": url}
    page = "<script>" + "".join(f"const {name} = {json.dumps(value)};" for name, value in named.items()) + "</script>"
    client = HTMLResponse(CLIENT + page)
    with running(app, service), running(client, ehr), running(client, stranger):
        yield {"log": log, "ehr": ehr_url, "stranger": stranger_url}
    log.close()


def service_app(models: Path, folder: Path, url: str, origin: str) -> tuple[Any, Any]:
    """Put the application together with a door that knows the issuer."""
    log, predictor = open_log(folder), Predictor.from_folder(models, synthetic=True)
    settings = SecuritySettings(
        keys_folder=folder / "door",
        dev_token="d" * 40,
        issuers_file=issuers(folder),
        allowed_origins=(origin,),
        failed_logins=Rate(1.0, 1000),
    )
    gatekeeper = Gatekeeper.from_settings(
        settings, UsedTokens(log.database), hooks=lambda found, once: HookClients(found, once, url)
    )
    state = ServiceState(lambda: predictor, lambda: log, ServiceMetrics(), lambda: gatekeeper, NAME)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORP_PUBLIC_URL", url)
        app = create_app(state)
    return told_clinically(SecurityMiddleware(app, gatekeeper), state), log


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    with browser() as found:
        yield found


def test_a_client_of_a_listed_origin(chrome: Any, hospital: dict[str, Any]) -> None:
    page = chrome.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda fault: complaints.append(str(fault)))
    page.goto(hospital["ehr"])
    found = page.evaluate("ask('/cds-services')")
    assert [one["hook"] for one in found["body"]["services"]] == ["order-select"]
    answer = page.evaluate("([path, body]) => ask(path, body)", [ORDERS, order_select()])
    assert answer["status"] == 200, answer
    page.evaluate("show", answer["body"]["cards"])
    assert page.locator("#cards h2").first.inner_text().startswith("SYNTHETIC MODEL. Estimated response")
    assert page.locator("#cards div img, #cards div script, #cards div a").count() == 0
    [card] = answer["body"]["cards"]
    told = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-01-12T10:05:31Z"}
    told["overrideReason"] = {"reason": card["overrideReasons"][0]}
    sent = page.evaluate("([path, body]) => ask(path, body)", [f"{ORDERS}/feedback", {"feedback": [told]}])
    assert sent["status"] == 200
    logged = hospital["log"].lookup(card["uuid"])
    assert [one.payload["event"]["reason"] for one in logged.later] == ["patient_preference"]
    assert logged.row["caller"] == f"token:{EHR}"
    assert complaints == []


def test_a_client_of_another_origin_learns_nothing(chrome: Any, hospital: dict[str, Any]) -> None:
    page = chrome.new_page()
    page.goto(hospital["stranger"])
    caught = page.evaluate("ask('/cds-services').then(() => 'answered', (fault) => fault.name)")
    assert caught == "TypeError"
