"""(c) Serving: CPU of the server per request, ours against servers that do nothing, and rates under load."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from features.sources.synthetic import example_case
from tests.bench.timing import Figure, _resident
from tests.bench_artefact import write_bench
from tests.conftest import ROOT
from tests.ports import free_port
from tests.served_app import SIGNED_IN

OURS = """
import sys
from pathlib import Path
import uvicorn
from serving.metrics import ServiceMetrics
from serving.predictor import Predictor
from tests.served_app import guarded_app

if __name__ == "__main__":
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    predictor = Predictor.from_folder(folder / "served-models", synthetic=True)
    app = guarded_app(predictor, ServiceMetrics(), folder / "log")
    uvicorn.run(app, port=port, log_level="error", access_log=False)
"""

BARE = """
import sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def predict(request):
    await request.json()
    return JSONResponse({})

if __name__ == "__main__":
    app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
    uvicorn.run(app, port=int(sys.argv[2]), log_level="error", access_log=False)
"""

BENTO = """
import bentoml

@bentoml.service
class Nothing:
    @bentoml.api(route="/predict")
    def predict(self, case: dict) -> dict:
        return {}
"""


@contextmanager
def _server(words: list[str], port: int, folder: Path) -> Iterator[psutil.Process]:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # MLflow calls uvicorn by name
    paths = {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "PATH": programs}
    environment = {**os.environ, **paths, "BENTOML_DO_NOT_TRACK": "True"}
    with (folder / "server.log").open("w") as log:
        run = subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        _answers(port, run)
        yield psutil.Process(run.pid)
    finally:
        if run.poll() is None:
            for process in (*psutil.Process(run.pid).children(recursive=True), psutil.Process(run.pid)):
                process.kill()
        run.wait()


def _answers(port: int, run: subprocess.Popen[bytes]) -> None:
    for _ in range(900):
        if run.poll() is not None:
            raise RuntimeError("the server ended; see server.log")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("the server did not start in 90 s")


def _cpu_of(tree: psutil.Process) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in (tree, *tree.children(recursive=True)))


def per_request(words: list[str], folder: Path, body: Any, requests: int) -> tuple[float, float]:
    """CPU milliseconds of a server's processes per request over one kept connection, and their memory in MB."""
    port = free_port()
    with _server([*words, str(port)], port, folder) as tree, httpx.Client(headers=SIGNED_IN, timeout=60) as client:
        url, content = f"http://127.0.0.1:{port}/predict", json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        for attempt in range(30):
            answer = client.post(url, content=content, headers=headers)
            if answer.status_code == 200:
                break
            if attempt == 29:
                raise RuntimeError(f"the server answers {answer.status_code}: {answer.text[:300]}")
            time.sleep(0.5)
        for _ in range(requests // 5):
            client.post(url, content=content, headers=headers)
        start = _cpu_of(tree)
        for _ in range(requests):
            client.post(url, content=content, headers=headers)
        return 1e3 * (_cpu_of(tree) - start) / requests, _resident(tree) / 1e6


def figures(folder: Path, requests: int = 200, count: int = 400) -> list[Figure]:
    """Ratios of CPU per request (below 1 ours is the cheaper one), and of rates under load."""
    place, work = write_bench(folder / "full", None).parent, folder / "servers"
    (work / "log").mkdir(parents=True, exist_ok=True)
    for name, code in {"ours.py": OURS, "bare.py": BARE, "nothing.py": BENTO}.items():
        (work / name).write_text(code, encoding="utf-8")
    case = example_case("checkpoint")
    bento = [sys.executable, "-m", "bentoml", "serve", "nothing:Nothing", "--host", "127.0.0.1", "--port"]
    ours, memory = per_request([sys.executable, "ours.py", str(place)], work, case, requests)
    bare, _ = per_request([sys.executable, "bare.py", str(place)], work, case, requests)
    noop, _ = per_request(bento, work, {"case": case}, requests)
    part, words = "c serving", "an explained, recorded answer against"
    return [
        Figure(part, f"{words} bare Starlette that answers nothing: CPU", ours / bare, None, True),
        Figure(part, f"{words} a BentoML service that answers nothing: CPU", ours / noop, None, True),
        *under_load(folder, count),
        Figure("f memory", "the service after some hundred answers, one process: MB", memory, None, True, "MB"),
    ]


def under_load(folder: Path, count: int) -> list[Figure]:
    """Requests a second over 16 connections, as tests/service_throughput.py measures them, briefly."""
    words = [sys.executable, "-m", "tests.service_throughput", str(folder / "throughput"), "--json", "--parts", "0"]
    words += ["--count", str(count), "--single", str(count // 2)]
    (folder / "throughput").mkdir(exist_ok=True)
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    if run.returncode:
        raise RuntimeError(run.stderr[-2_000:])
    found = json.loads(run.stdout.strip().rpartition("\n")[2])
    noop = (found["noop"]["per_second"] + found["noop again"]["per_second"]) / 2
    alone, part = found["service, one connection"], "c serving"
    return [
        Figure(
            part,
            "rate of explained, recorded answers against a no-op behind the same door",
            found["app"]["per_second"] / noop,
            0.5,
        ),
        Figure(
            part,
            "the same, `oncorespond serve`, against `mlflow models serve` with shap on ready rows",
            found["service"]["per_second"] / found["mlflow"]["per_second"],
            2.2,
        ),
        Figure(part, "one connection: p99 against p50", alone["p99_ms"] / alone["p50_ms"], 6.0, True),
    ]
