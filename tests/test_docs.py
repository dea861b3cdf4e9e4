"""Every command of README and docs runs, unless it is fenced as ``long``; links lead somewhere; codes are listed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

from features.errors import Refusal
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
COMMANDS = [
    (page.name, line)
    for page in PAGES
    for block in FENCE.findall(page.read_text(encoding="utf-8"))
    for line in block.splitlines()
    if line and not line.startswith("#") and not line.startswith("make ")
]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[f"{page}: {line}" for page, line in COMMANDS])
def test_commands_of_the_docs_run(page: str, line: str, served_models: Path, tmp_path: Path) -> None:
    for folder in ("docs", "experiments"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ORP_MODELS": str(served_models),
    }
    run = subprocess.run(line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)  # noqa: S602
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert not missing


def _refusals() -> dict[str, str]:
    """Every error code of the five rooms with the first sentence of its class."""
    for room in ("features", "models", "training", "experiments", "serving"):
        package = import_module(room)
        for found in walk_packages(package.__path__, f"{room}."):
            if found.name != "serving.service":  # importing it would start BentoML
                import_module(found.name)
    codes: dict[str, str] = {}
    waiting = [Refusal]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if kind.__module__.split(".")[0] in {"features", "models", "training", "experiments", "serving"}:
            codes.setdefault(kind.code, (kind.__doc__ or "").strip().splitlines()[0])
    return codes


def test_every_error_code_is_documented() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    missing = [code for code in _refusals() if f"`{code}`" not in page]
    assert not missing, "add to docs/errors.md: " + "; ".join(sorted(missing))


def test_the_makefile_explains_every_command() -> None:
    run = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    shown = {line.split()[1] for line in run.stdout.splitlines() if line.startswith("  make")}
    assert {
        "install",
        "demo",
        "test",
        "check",
        "serve",
        "ui",
        "bench",
        "soak",
        "lock",
        "help",
        "cohorts",
        "models",
    } <= shown
