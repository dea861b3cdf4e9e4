"""``oncorespond serve``: look whether all is there, say where, and hand over to BentoML's server."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

DEMO = Path(".demo")

PLACES = {"ORP_KEYS": "keys", "ORP_ISSUERS": ""}
"""Variables that name a file or folder, and their default; the server runs in another folder than this command."""


def serve(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 3000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer; they share one audit log.")] = 1,
    dev: Annotated[bool, typer.Option("--dev", help="Print a token of this one run that opens everything.")] = False,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="Allow models trained on synthetic cases.")] = False,
    or_demo: Annotated[
        bool, typer.Option("--or-demo", help="Without promoted models, serve those of the demo, with --dev.")
    ] = False,
    clinical_research_acknowledged: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Also FHIR and CDS Hooks: who acknowledges that they are for research only."),
    ] = None,
) -> None:
    """Serve the promoted models on this machine: POST /predict, /predict/batch, /rank, and the pages under /audit.

    Models are read from $ORP_MODELS (default ./served-models), keys from $ORP_KEYS (./keys), and the audit log is
    $ORP_DATABASE_URL (SQLite in ./audit). Nobody comes in without a key, a token of a listed issuer, or --dev.

    Example: [bold]oncorespond serve --dev[/bold], or first [bold]oncorespond keys init[/bold] and
    [bold]oncorespond keys add ward-7 --role predict[/bold]
    """
    from features.free_port import check_port
    from serving.served_models import models_folder
    from serving.worker import ACKNOWLEDGED

    demo = DEMO / "served-models"
    if or_demo and demo.is_dir() and (not models_folder().is_dir() or models_folder().samefile(demo)):
        synthetic = dev = True
        _use_demo(demo)
    _make_absolute()
    os.environ["ORP_SYNTHETIC"] = "1" if synthetic else "0"
    os.environ[ACKNOWLEDGED] = clinical_research_acknowledged or ""
    os.environ.pop("ORP_DEV_TOKEN", None)  # one that lies about in the environment opens nothing
    os.environ.setdefault("ORP_PUBLIC_URL", f"http://127.0.0.1:{port}")
    token = _dev_token() if dev else ""
    _look_before(synthetic)
    check_port(port)
    typer.echo(f"serving {os.environ['ORP_MODELS']} on http://127.0.0.1:{port} (API: /docs), Ctrl-C stops")
    typer.echo(f"audit log {os.environ['ORP_DATABASE_URL'].rpartition('@')[2]}")
    if token:
        typer.echo(f"pages: http://127.0.0.1:{port}/audit/login; token of this run, opens everything:\n{token}")
    _run_bentoml(port, workers)


def _use_demo(models: Path) -> None:
    os.environ["ORP_MODELS"] = str(models)
    os.environ.setdefault("ORP_KEYS", str(DEMO / "keys"))
    os.environ.setdefault("ORP_DATABASE_URL", f"sqlite:///{DEMO / 'audit' / 'audit.db'}")
    typer.echo("no promoted models but the SYNTHETIC ones of the demo: serving those")


def _make_absolute() -> None:
    """Write every place as an absolute one, defaults too."""
    from serving.audit.database import database_url
    from serving.audit.heads import heads_file
    from serving.served_models import models_folder

    os.environ["ORP_MODELS"] = str(models_folder().resolve())
    for name, default in PLACES.items():
        if found := os.environ.get(name) or default:
            os.environ[name] = str(Path(found).resolve())
    url = database_url()
    if url.get_backend_name() == "sqlite":
        url = url.set(database=str(Path(url.database or "").resolve()))
    os.environ["ORP_DATABASE_URL"] = url.render_as_string(hide_password=False)
    os.environ["ORP_AUDIT_HEADS"] = str(heads_file(url).resolve())


def _dev_token() -> str:
    """Put a fresh token where the workers find it; under --dev missing keys of the log are made."""
    from serving.audit.keys import generate_keys, keys_folder
    from serving.security.gatekeeper import DEV_TOKEN, new_dev_token

    written = generate_keys(keys_folder())
    if written:
        typer.echo(f"wrote keys of the audit log to {keys_folder()}")
    os.environ[DEV_TOKEN] = token = new_dev_token()
    return token


def _look_before(synthetic: bool) -> None:
    """Refuse here, in words, before a server starts: load the models, open the log, build the door."""
    from serving.deadline import site_deadline_s
    from serving.fhir.settings import ClinicalSettings
    from serving.served_models import models_folder
    from serving.worker import ACKNOWLEDGED, Worker

    site_deadline_s()
    ClinicalSettings.of(os.environ.get(ACKNOWLEDGED) or None)
    Worker.start(models_folder(), synthetic).stop()


def _run_bentoml(port: int, workers: int) -> None:
    from serving.worker import LOOKED

    code = Path(__file__).resolve().parent.parent
    arguments = ["serve", "serving.service:ResponseService", "--host", "127.0.0.1", "--port", str(port)]
    command = [sys.executable, "-m", "bentoml", *arguments, "--working-dir", str(code)]
    os.environ["ORP_WORKERS"] = str(workers)
    os.environ[LOOKED] = "1"
    os.execv(sys.executable, command)  # noqa: S606  # our own interpreter, with arguments of our own
