"""Bar 1 of the service: requests a second with the audit log on, against a no-op and MLflow's own server, in one run.

``python -m tests.service_throughput FOLDER [--count 2000] [--single 1000] [--no-mlflow] [--json]``. The artefact is
``tests/bench_artefact.py``; the load comes from a second process over 16 kept connections (``tests/http_load.py``).
The no-op stands behind the same door, reads the same body as JSON and as a case, at once, without a thread, and answers
2 KB that are fixed; it exists in this harness alone. ``service`` is `oncorespond serve --workers 1` as people start it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.bench_artefact import write_bench
from tests.conftest import ROOT
from tests.ports import free_port
from tests.served_app import DEV_TOKEN
from tests.service_process import serving

CASES = 1_000
"""Different cases, asked in turn: so many that what a worker remembers of one helps little with the next."""

BARS = {"of the no-op": 0.5, "of mlflow": 2.2, "requests/s": 150.0, "p99/p50": 6.0}

APP = """
import sys
from pathlib import Path
import uvicorn
from fastapi import Request, Response
from serving import api
from serving.asked import asked_of, read_body
from serving.body import cases_of, read_object
from serving.metrics import ServiceMetrics
from serving.predictor import Predictor
from serving.security.limits import Rate
from tests.served_app import guarded_app

FIXED = b'{"fixed": "' + b"x" * 2034 + b'"}'
made = api.create_app

def parsed(request, body):
    cases_of(read_object(body))
    asked_of(request, body)
    return FIXED

def with_noop(state):
    app = made(state)
    @app.post("/noop")
    async def noop(request: Request) -> Response:
        body = await read_body(request)
        return Response(parsed(request, body), media_type="application/json")
    return app

import tests.served_app
tests.served_app.create_app = with_noop
folder, port = Path(sys.argv[1]), int(sys.argv[2])
predictor = Predictor.from_folder(folder / "served-models", synthetic=True)
app = guarded_app(predictor, ServiceMetrics(), Path(sys.argv[3]), per_caller=Rate(100000.0, 200000))
import gc
gc.collect()
gc.freeze()
from serving.logs import log_as_json
log_as_json()
uvicorn.run(app, port=port, log_config=None, access_log=False)
"""

RIVAL = """
import lightgbm
import shap


class Rival:
    def __init__(self, path):
        self.booster = lightgbm.Booster(model_file=path + "/model.txt")
        self.explainer = shap.TreeExplainer(self.booster)

    def predict(self, frame, params=None):
        rows = frame.to_numpy()
        return {"probability": self.booster.predict(rows).tolist(), "phi": self.explainer.shap_values(rows).tolist()}


def _load_pyfunc(path):
    return Rival(path)
"""


def bodies(folder: Path, cases: int = CASES) -> Path:
    """Write different cases as JSON lines."""
    from features.sources.synthetic import draw

    path = folder / "bodies.jsonl"
    drawn = draw("checkpoint", cases, 4711)
    path.write_text("".join(case.model_dump_json(exclude_none=True, by_alias=True) + "\n" for case in drawn))
    return path


def load(port: int, path: str, requests: Path, token: str, count: int, connections: int) -> dict[str, Any]:
    """Ask from a second process; return what it measured."""
    words = [sys.executable, "-m", "tests.http_load", str(port), path, str(requests)]
    words += ["--count", str(count), "--connections", str(connections)]
    run = subprocess.run(
        words, cwd=ROOT, env={**os.environ, "LOAD_TOKEN": token}, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(run.stdout)
    assert found["lost"] == 0
    assert set(found["statuses"]) == {"200"}, found["statuses"]
    return found


@contextmanager
def _running(words: list[str], port: int, folder: Path) -> Iterator[psutil.Process]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # mlflow looks for its server there
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **quiet, "PATH": path, "PYTHONPATH": str(ROOT)}
    with (folder / "server.log").open("w") as log:
        run = subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=log)
    tree = psutil.Process(run.pid)
    try:
        until = time.monotonic() + 240
        while not any(c.laddr.port == port for p in (tree, *tree.children(recursive=True)) for c in _listening(p)):
            assert run.poll() is None, (folder / "server.log").read_text()[-2000:]
            assert time.monotonic() < until
            time.sleep(0.2)
        yield tree
    finally:
        with suppress(psutil.NoSuchProcess):
            for process in (*tree.children(recursive=True), tree):
                process.kill()
        run.wait()


def _listening(process: psutil.Process) -> list[Any]:
    try:
        return [one for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    except psutil.Error:
        return []


def cpu_s(tree: psutil.Process) -> float:
    """CPU seconds of a process and its children so far."""
    return sum(sum(one.cpu_times()[:2]) for one in (tree, *tree.children(recursive=True)))


def measured(tree: psutil.Process, port: int, path: str, requests: Path, token: str, count: int) -> dict[str, Any]:
    """Ask over 16 connections after a tenth to warm up; add the server's CPU per request."""
    load(port, path, requests, token, max(50, count // 10), 16)
    before = cpu_s(tree)
    found = load(port, path, requests, token, count, 16)
    return {**found, "server_cpu_ms": 1000 * (cpu_s(tree) - before) / count}


def of_the_app(place: Path, folder: Path, requests: Path, count: int, single: int) -> dict[str, dict[str, Any]]:
    (folder / "app.py").write_text(APP)
    port, log = free_port(), folder / f"log-{os.getpid()}"
    log.mkdir()
    with _running([sys.executable, "app.py", str(place), str(port), str(log)], port, folder) as tree:
        return {
            "noop": measured(tree, port, "/noop", requests, DEV_TOKEN, count),
            "app": measured(tree, port, "/predict", requests, DEV_TOKEN, count),
            "noop again": measured(tree, port, "/noop", requests, DEV_TOKEN, count),
            "app, one connection": load(port, "/predict", requests, DEV_TOKEN, single, 1),
        }


def _of_the_service(place: Path, folder: Path, requests: Path, count: int, single: int) -> dict[str, dict[str, Any]]:
    home = folder / f"service-{os.getpid()}"
    home.mkdir()
    with serving(home, place / "served-models", "--workers", "1", ORP_RATE_PER_SECOND="100000") as served:
        tree = psutil.Process(served.process.pid)
        return {
            "service": measured(tree, served.port, "/predict", requests, served.token, count),
            "service, one connection": load(served.port, "/predict", requests, served.token, single, 1),
        }


def _of_mlflow(place: Path, folder: Path, requests: Path, count: int) -> dict[str, dict[str, Any]]:
    import mlflow

    (folder / "rival.py").write_text(RIVAL)
    source = folder / "rival-data"
    source.mkdir(exist_ok=True)
    (source / "model.txt").write_text(merged(sorted((place / "artifact" / "boosted").glob("*.txt"))))
    model = folder / f"rival-{os.getpid()}"
    mlflow.pyfunc.save_model(
        str(model),
        loader_module="rival",
        data_path=str(source),
        code_paths=[str(folder / "rival.py")],
        pip_requirements=["numpy"],
    )
    port = free_port()
    words = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "-p", str(port)]
    with _running([*words, "--env-manager", "local", "-w", "1"], port, folder) as tree:
        return {"mlflow": measured(tree, port, "/invocations", _rows(place, folder, requests), "", count)}


def _rows(place: Path, folder: Path, requests: Path) -> Path:
    """Write the same cases as ready rows of the matrix: the rival builds no features."""
    from features.case import read_case
    from features.from_cases import batch_of
    from models.artifact import load_artifact

    model = load_artifact(place / "artifact")
    cases = [read_case(json.loads(line)) for line in requests.read_text().splitlines()]
    matrix = model.table.matrix(batch_of(cases))
    names = [column.name for column in model.table.columns]
    path = folder / "rows.jsonl"
    rows = ([None if value != value else value for value in row] for row in matrix.tolist())
    path.write_text("".join(json.dumps({"dataframe_split": {"columns": names, "data": [r]}}) + "\n" for r in rows))
    return path


def merged(texts: list[Path]) -> str:
    """Return one booster of all trees of several: the rival walks each tree once, as we do."""
    heads, trees = [], []
    for path in texts:
        head, _, rest = path.read_text().partition("\nTree=0\n")
        body = "\nTree=0\n" + rest.partition("\nend of trees")[0]
        heads.append(head)
        trees += [one.split("\n", 1)[1].strip("\n") for one in body.split("\nTree=")[1:]]
    blocks = [f"Tree={k}\n{one}\n\n\n" for k, one in enumerate(trees)]
    sizes = " ".join(str(len(block)) for block in blocks)
    kept = "\n".join(f"tree_sizes={sizes}" if line.startswith("tree_sizes=") else line for line in heads[0].split("\n"))
    return f"{kept}\n{''.join(blocks)}end of trees\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--single", type=int, default=1000)
    parser.add_argument("--no-mlflow", action="store_true")
    parser.add_argument("--no-service", action="store_true")
    parser.add_argument("--parts", type=int, default=300, help="answers whose parts are timed; 0 for none")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    _tell(figures(asked), asked.json)


def figures(asked: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Measure all that was asked for, one after the other."""
    folder = asked.folder.resolve()
    place = write_bench(folder / "artefact").parent
    work = folder / "work"
    work.mkdir(exist_ok=True)
    requests = bodies(work)
    found = of_the_app(place, work, requests, asked.count, asked.single)
    if not asked.no_service:
        found |= _of_the_service(place, work, requests, asked.count, asked.single)
    if not asked.no_mlflow:
        found |= _of_mlflow(place, work, requests, asked.count)
    if asked.parts:
        from tests.service_parts import parts

        found["parts, CPU ms"] = parts(place, work, requests, asked.parts)
    return found


def _tell(found: dict[str, dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(found))
        return
    for name, one in found.items():
        print(f"{name:24}", "  ".join(f"{key} {value:.4g}" for key, value in one.items() if isinstance(value, float)))
    noop = (found["noop"]["per_second"] + found["noop again"]["per_second"]) / 2
    ours = found.get("service", found["app"])
    alone = found.get("service, one connection", found["app, one connection"])
    print(f"app / no-op {found['app']['per_second'] / noop:.2f} (bar {BARS['of the no-op']})")
    if "mlflow" in found:
        print(f"ours / mlflow {ours['per_second'] / found['mlflow']['per_second']:.2f} (bar {BARS['of mlflow']})")
    print(f"ours {ours['per_second']:.0f} requests/s (bar {BARS['requests/s']:g})")
    print(f"p99 / p50 at one connection {alone['p99_ms'] / alone['p50_ms']:.1f} (bar {BARS['p99/p50']:g})")


if __name__ == "__main__":
    main()
