"""(c) Serving: CPU of the server per request, ours against servers that do nothing, and against MLflow's own."""

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

from tests.bench.timing import Figure
from tests.bench_artefact import write_bench
from tests.conftest import ROOT
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _cpu_of(tree: psutil.Process) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in (tree, *tree.children(recursive=True)))


def cpu_per_request(words: list[str], port: int, folder: Path, path: str, body: Any, requests: int) -> float:
    """CPU milliseconds of a server's processes per request over one kept connection."""
    with _server(words, port, folder) as tree, httpx.Client(headers=SIGNED_IN, timeout=60) as client:
        url, content = f"http://127.0.0.1:{port}{path}", json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        for attempt in range(30):
            answer = client.post(url, content=content, headers=headers)
            if answer.status_code == 200:
                break
            if attempt == 29:
                raise RuntimeError(f"{path} answers {answer.status_code}: {answer.text[:300]}")
            time.sleep(0.5)
        for _ in range(requests // 5):
            client.post(url, content=content, headers=headers)
        start = _cpu_of(tree)
        for _ in range(requests):
            client.post(url, content=content, headers=headers)
        return 1e3 * (_cpu_of(tree) - start) / requests


def figures(folder: Path, requests: int = 200, mlflow: bool = True) -> list[Figure]:
    """Ratios of CPU per request: below 1 ours is the cheaper one."""
    from features.sources.synthetic import example_case

    place = write_bench(folder / "full", None).parent
    work = folder / "servers"
    work.mkdir(exist_ok=True)
    (work / "log").mkdir(exist_ok=True)
    scripts = {"ours": OURS, "bare": BARE}
    for name, code in scripts.items():
        (work / f"{name}.py").write_text(code, encoding="utf-8")
    (work / "nothing.py").write_text(BENTO, encoding="utf-8")
    case, ms = example_case("checkpoint"), {}
    for name in scripts:
        port = _free_port()
        words = [sys.executable, f"{name}.py", str(place), str(port)]
        ms[name] = cpu_per_request(words, port, work, "/predict", case, requests)
    port = _free_port()
    bento = [sys.executable, "-m", "bentoml", "serve", "nothing:Nothing", "--host", "127.0.0.1", "--port", str(port)]
    ms["bento"] = cpu_per_request(bento, port, work, "/predict", {"case": case}, requests)
    part = "c serving"
    found = [
        Figure(
            part,
            "an explained, recorded answer against bare Starlette that answers nothing: CPU",
            ms["ours"] / ms["bare"],
            None,
            True,
        ),
        Figure(
            part, "the same against a BentoML service that answers nothing: CPU", ms["ours"] / ms["bento"], None, True
        ),
    ]
    if mlflow:
        found.append(
            Figure(
                part,
                "the same against `mlflow models serve` of the same model, without contributions in words: CPU",
                ms["ours"] / _mlflow(folder, place, work, requests),
                None,
                True,
            )
        )
    return found


def _mlflow(folder: Path, place: Path, work: Path, requests: int) -> float:
    import mlflow

    model = folder / "mlflow-served"
    if not model.exists():
        mlflow.pyfunc.save_model(
            str(model),
            loader_module="models.pyfunc",
            data_path=str(place / "artifact"),
            code_paths=[str(ROOT / "features"), str(ROOT / "models")],
            pip_requirements=["numpy"],
        )
    from tests.flat_tables import synthetic_table

    row = (
        synthetic_table(1, 9)
        .select(["histology", "therapy.agents", "patient.age_years", "tmb.mut_per_mb"])
        .to_pylist()[0]
    )
    row["therapy.agents"] = "pembrolizumab"
    body, port = {"dataframe_records": [row]}, _free_port()
    words = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        str(model),
        "-p",
        str(port),
        "--env-manager",
        "local",
        "-w",
        "1",
    ]
    return cpu_per_request(words, port, work, "/invocations", body, requests)
