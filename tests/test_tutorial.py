"""The notebooks of docs/tutorial: committed with their outputs, and every cell of them runs on synthetic patients."""

from __future__ import annotations

import re
import tempfile

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

from tests.conftest import ROOT

BOOKS = sorted((ROOT / "docs" / "tutorial").glob("*.ipynb"))
OWN_SOCKETS = Config({"KernelManager": {"transport": "ipc"}})
"""The kernel is spoken to through files: ports that were free may be somebody else's when it starts."""

MOST_BYTES = 250_000
"""Of a committed notebook: pictures are small on purpose."""

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the kernel's own event loop, not of ours


def read(place):
    return nbformat.read(place, as_version=4)


def code(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


def test_there_are_the_four_that_the_docs_name():
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    assert len(BOOKS) == 4
    assert all(f"tutorial/{place.name}" in text for place in BOOKS)


@pytest.mark.parametrize("place", BOOKS, ids=[place.stem for place in BOOKS])
def test_committed_notebooks_are_executed_from_top_to_bottom(place):
    book = read(place)
    assert [cell.execution_count for cell in code(book)] == list(range(1, len(code(book)) + 1))
    assert sum(bool(cell.outputs) for cell in code(book)) >= len(code(book)) // 2
    assert not [one for cell in code(book) for one in cell.outputs if one.output_type == "error"]
    assert place.stat().st_size < MOST_BYTES
    assert not re.search(r"/(tmp|root|home|work)/", place.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("place", BOOKS, ids=[place.stem for place in BOOKS])
def test_every_cell_runs(place, monkeypatch):
    for name in ("ORP_COHORTS", "ORP_RUNS", "ORP_MODELS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    committed, book = read(place), read(place)
    with tempfile.TemporaryDirectory(prefix="orp-nb-") as own:  # a short path: that of a socket has 107 letters at most
        for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            monkeypatch.setenv(name, own)
        NotebookClient(book, timeout=900, kernel_name="python3", config=OWN_SOCKETS).execute()
    for ours, now in zip(code(committed), code(book), strict=True):
        assert printed(now) == printed(ours), ours.source


def printed(cell):
    """What a cell printed; tables and pictures may differ in a last digit between machines, sentences may not."""
    texts = [one.text for one in cell.outputs if one.output_type == "stream" and one.name == "stdout"]
    return re.sub(r"\d+(\.\d+)?(e[+-]\d+)?", "#", "".join(texts))
