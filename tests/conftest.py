"""What all tests share: the read-only material beside the project, and a quiet, repeatable environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.audit_databases import address, postgres, postgres_server  # noqa: F401  # fixtures of the audit log's tests

if TYPE_CHECKING:
    from tests.pages_site import Site

KNOBS = ("ORP_SHARED", "ORP_SOAK", "ORP_FUZZ", "ORP_BIG_ROWS", "ORP_REQUIRE_BROWSER", "ORP_WALK_PICTURES")
"""Variables that say what is tested; any other of ours, and those of MLflow's store and of tracing, are a site's."""

for variable in list(os.environ):
    if variable.startswith(("ORP_", "MLFLOW_TRACKING", "OTEL_")) and not variable.startswith(KNOBS):
        del os.environ[variable]
for variable in ("no_proxy", "NO_PROXY"):  # what the tests serve on this machine, no proxy of the site can reach
    os.environ[variable] = ",".join(filter(None, (os.environ.get(variable), "127.0.0.1", "localhost")))
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("ORP_SHARED", ROOT.parent / "shared"))
SOAK = os.environ.get("ORP_SOAK") == "1"

settings.register_profile(
    "oncorespond", deadline=None, derandomize=True, print_blob=False, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("oncorespond")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what needs the shared material when it is not there."""
    if SHARED.is_dir():
        return
    absent = pytest.mark.skip(reason=f"needs the shared cohorts, and {SHARED.name}/ is not beside the project")
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(absent)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of read-only cohorts, evidence and examples; use it with ``@pytest.mark.shared``."""
    return SHARED


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The checkout that is under test."""
    return ROOT


@pytest.fixture(scope="session")
def served_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small promoted model of each family, trained on synthetic cases."""
    from tests.served import promote_small

    return promote_small(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def demo_folder(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small log of the demo (``audit/``, ``keys/``) and its models (``served-models/``); read only."""
    from tests.demo_site import filled_folder

    folder = tmp_path_factory.mktemp("demo-log")
    filled_folder(folder, served_models)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, served_models: Path) -> Iterator[Site]:
    """The pages over the small models and a log of invented cases."""
    from tests.pages_site import opened_site

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORP_MODELS", str(served_models))
        with opened_site(tmp_path_factory.mktemp("pages"), served_models) as found:
            yield found
