"""``oncorespond serve`` as people start it: refusals in words, a token of one run, BentoML's client, an orderly end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from serving.openapi import EXAMPLE_CASE
from serving.security.asgi import LONGEST_BODY_S
from tests.conftest import ROOT
from tests.ports import free_port
from tests.service_process import COMMAND, asked, environment_of, serving


def _run(words: list[str], folder: Path, models: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = environment_of(models, **more)
    return subprocess.run(
        [*COMMAND, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_without_keys_nothing_starts(served_models: Path, tmp_path: Path) -> None:
    no_log_keys = _run(["serve", "--synthetic"], tmp_path, served_models)
    assert no_log_keys.returncode == 3
    assert "oncorespond keys init" in no_log_keys.stderr
    assert _run(["keys", "init"], tmp_path, served_models).returncode == 0
    nobody = _run(["serve", "--synthetic"], tmp_path, served_models)
    assert nobody.returncode == 2
    assert "oncorespond keys add" in nobody.stderr
    left_over = _run(["serve", "--synthetic"], tmp_path, served_models, ORP_DEV_TOKEN="dev_" + "x" * 40)
    assert left_over.returncode == 2, "a token that lies about in the environment opens nothing"


def test_bentos_own_server_ends_as_well_instead_of_starting_workers_again(served_models: Path, tmp_path: Path) -> None:
    keyless = {"ORP_KEYS": str(tmp_path / "keys"), "ORP_DATABASE_URL": f"sqlite:///{tmp_path / 'audit.db'}"}
    program = str(Path(sys.executable).parent / "bentoml")
    run = subprocess.run(
        [program, "serve", "serving.service:ResponseService", "--port", str(free_port())],
        cwd=ROOT,
        env=environment_of(served_models, ORP_SYNTHETIC="1", **keyless),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 3
    assert "oncorespond keys init" in run.stderr


@pytest.mark.slow
def test_a_run_of_its_own_token_from_start_to_end(served_models: Path, tmp_path: Path) -> None:
    with serving(tmp_path, served_models, "--workers", "2") as served:
        address, token = served.address, served.token
        assert token
        assert asked(address, "/schema.json", "")[0] == 401
        assert asked(address, "/metrics", "")[0] == 401
        status, answer = asked(address, "/predict", token, EXAMPLE_CASE, **{"idempotency-key": "k-1"})
        assert (status, answer["status"]) == (200, "predicted")
        repeated = [asked(address, "/predict", token, EXAMPLE_CASE, **{"idempotency-key": "k-1"})[1] for _ in range(4)]
        assert repeated == [answer] * 4, "whichever worker is asked"
        assert asked(address, "/schema.json", token)[1]["name"] == "oncorespond"
        _ask_with_bentos_client(address, token, environment_of(served_models))
    assert served.process.returncode in (0, -signal.SIGTERM)
    log = (tmp_path / "log.txt").read_text()
    assert token not in log
    assert "p.G12C" not in log
    assert json.loads(_run(["audit", "verify", "--json"], tmp_path, served_models).stdout)["records"] == 2
    assert (
        json.loads(_run(["audit", "list", "--json"], tmp_path, served_models).stdout.splitlines()[0])["caller"] == "dev"
    )
    replayed = _run(["audit", "replay", "--all"], tmp_path, served_models)
    assert replayed.stdout.strip() == "2 equal"


def _ask_with_bentos_client(address: str, token: str, environment: dict[str, str]) -> None:
    """BentoML's own client, in a process of its own: importing it warns."""
    code = (
        "import bentoml, json, sys\n"
        "with bentoml.SyncHTTPClient(sys.argv[1], token=sys.argv[2]) as client:\n"
        "    print(client.bento_predict(case=json.loads(sys.argv[3]))['status'])\n"
        "    try:\n"
        "        client.bento_predict(case={'histology': 'LAUD'})\n"
        "    except bentoml.exceptions.BentoMLException as refused:\n"
        "        print(json.loads(str(refused))['error']['code'])\n"
    )
    words = [sys.executable, "-W", "ignore", "-c", code, address, token, json.dumps(EXAMPLE_CASE)]
    run = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert run.stdout.split() == ["predicted", "invalid_case"], run.stderr


@pytest.mark.slow
def test_a_slow_client_holds_nobody_up(served_models: Path, tmp_path: Path) -> None:
    with serving(tmp_path, served_models) as served:
        address, token, port = served.address, served.token, served.port
        head = (
            f"POST /predict HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        )
        slow = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(30)]
        for one in slow:
            one.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
        began = time.monotonic()
        assert asked(address, "/predict", token, EXAMPLE_CASE)[0] == 200
        assert time.monotonic() - began < LONGEST_BODY_S / 2, "who waits for a body keeps nobody waiting"
        for one in slow:
            one.close()
        assert asked(address, "/predict", token, EXAMPLE_CASE)[0] == 200
        with socket.create_connection(("127.0.0.1", port), timeout=20) as huge:
            huge.sendall(f"{head}Content-Length: {50 * 1024 * 1024}\r\n\r\n".encode())
            assert b" 413 " in huge.recv(4096).split(b"\r\n")[0], "refused before any of it is sent"
