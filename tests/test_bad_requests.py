"""Bad requests by hand: each is refused with its own code, in the one shape, and leaves neither record nor value.

``input`` is ``path`` and ``method`` (POST), and of the body one of: ``raw`` text, ``times`` (a text so many times),
``body`` (JSON), or ``case`` (the example case with changes).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.audit.reading import Filter, listed
from serving.metrics import ServiceMetrics
from serving.openapi import EXAMPLE_CASE
from serving.predictor import Predictor
from tests.audit_log import open_log
from tests.cases import ABSENT, golden
from tests.guarded import assert_refused
from tests.served_app import SIGNED_IN, guarded_app

ROWS = golden("bad_requests")


@pytest.fixture(scope="module")
def client(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("door")
    log = open_log(folder)
    predictor = Predictor.from_folder(served_models, synthetic=True)
    yield TestClient(guarded_app(predictor, ServiceMetrics(), folder, log), headers=SIGNED_IN)
    assert listed(log.database, Filter()) == []
    log.close()


def _content(given: dict[str, Any]) -> bytes:
    if "raw" in given:
        return str(given["raw"]).encode()
    if "times" in given:
        text, count = given["times"]
        return bytes(text.encode() * count)
    if "body" in given:
        return json.dumps(given["body"]).encode()
    case = {name: value for name, value in {**EXAMPLE_CASE, **given["case"]}.items() if value != ABSENT}
    if "long_key" in given:
        case["x" * given["long_key"]] = 1
    return json.dumps(case).encode()


def test_there_are_two_hundred_of_them_and_none_twice() -> None:
    assert len(ROWS) >= 200
    assert len({row["input"] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row["case"] for row in ROWS])
def test_bad_requests_are_refused_for_what_is_wrong(client: TestClient, row: dict[str, str]) -> None:
    given: dict[str, Any] = json.loads(row["input"])
    method = given.get("method", "POST")
    headers = [(b"content-type", kind.encode())] if (kind := given.get("type", "application/json")) else []
    if "key" in given:
        headers.append((b"idempotency-key", given["key"].encode("latin-1")))
    content = None if method == "GET" else _content(given)
    status, code = row["expected"].split()
    response = client.request(method, given["path"], content=content, headers=headers)
    error = assert_refused(response, int(status), code)
    assert len(error["message"]) < 4_000
