"""MLflow, and only here: what a run was made of, what came out, and the registered model with its aliases.

The store is SQLite in ``runs/`` unless ``$MLFLOW_TRACKING_URI`` names another. Nothing is pickled: the registered
model is the artefact folder itself, read by ``models.pyfunc``. Registration comes last, after everything else has
been logged, so an interrupted run leaves no half-registered model.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import Refusal
from training.environment import MODEL_PACKAGES, code_folders, environment_tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mlflow.entities.model_registry import ModelVersion

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")

STORE_VARIABLE = "MLFLOW_TRACKING_URI"

DEFAULT_STORE = "runs/mlflow.db"
"""SQLite file of the default store, below the working directory; artefacts lie beside it."""

CHAMPION, CHALLENGER = "champion", "challenger"
"""Aliases of a registered model: served, and the one that wants to be."""

NOTE = "mlflow.note.content"
"""Tag that MLflow shows as the description of a run; at most 8,000 characters."""

DIGEST_LENGTH = 36
"""Characters of a content hash that MLflow's dataset table holds; the whole hash is a parameter."""


class RunNotFound(Refusal):
    """A registered model, version or alias that the store does not have."""

    code = "run_not_found"


@dataclass(frozen=True)
class LoggedData:
    """A cohort as MLflow's dataset: its id, content hash, where it comes from, how many cases, what it was for."""

    cohort_id: str
    content_hash: str
    source: str
    cases: int
    context: str


@dataclass(frozen=True)
class RunRecord:
    """Everything that is logged of one run.

    Attributes
    ----------
    experiment, name
        MLflow experiment (the experiment file's stem) and registered model name.
    parameters, metrics
        Flat; parameters as they stand in the experiment, defaults written out.
    files
        Files by the folder they go to (``report``, ``figures``, ``tables``).
    tags
        ``endpoint``, ``family``, ``synthetic`` go onto the registered version as well.
    resamples
        Name and metrics of each repeat of the resampling: a nested run each.
    note
        Markdown that MLflow shows on the page of the run and of the registered version.
    """

    experiment: str
    name: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    data: Sequence[LoggedData]
    artefact: Path
    files: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    resamples: Sequence[tuple[str, Mapping[str, float]]] = ()
    note: str = ""


@dataclass(frozen=True)
class Tracked:
    """Where a run can be found again: run id, registered name and version, the store."""

    run_id: str
    name: str
    version: str
    store: str


def store_uri() -> str:
    """Return the tracking store: ``$MLFLOW_TRACKING_URI``, else SQLite in ``runs/`` below the working directory."""
    given = os.environ.get(STORE_VARIABLE)
    return given or f"sqlite:///{Path(DEFAULT_STORE).absolute()}"


@contextmanager
def _store() -> Iterator[Any]:
    """Point MLflow at the store; its folder is made where it is SQLite on this machine.

    MLflow writes what it is pointed at into ``$MLFLOW_TRACKING_URI``; the variable is put back as the user had it.
    """
    import mlflow

    uri = store_uri()
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    before = os.environ.get(STORE_VARIABLE)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        yield mlflow
    finally:
        if before is None:
            os.environ.pop(STORE_VARIABLE, None)
        else:
            os.environ[STORE_VARIABLE] = before


def _experiment_id(mlflow: Any, name: str) -> str:
    found = mlflow.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    uri = store_uri()
    place = None
    if uri.startswith("sqlite:///"):
        place = (Path(uri.removeprefix("sqlite:///")).absolute().parent / "artifacts").as_uri()
    return str(mlflow.create_experiment(name, artifact_location=place))


def track(record: RunRecord) -> Tracked:
    """Log a run, register its model, and give it the alias ``challenger``.

    An exception (an interrupt too) leaves the run marked failed or killed and nothing registered.
    """
    with _store() as mlflow:
        experiment = _experiment_id(mlflow, record.experiment)
        with mlflow.start_run(experiment_id=experiment, run_name=record.name) as run:
            _log(mlflow, record)
            _log_resamples(mlflow, record, experiment)
            model = _log_model(mlflow, record)
        version = _register(mlflow, record, run.info.run_id, model)
        return Tracked(run.info.run_id, record.name, version, store_uri())


def _register(mlflow: Any, record: RunRecord, run_id: str, model: Any) -> str:
    client = mlflow.MlflowClient()
    if not client.search_registered_models(f"name = '{record.name}'"):
        client.create_registered_model(record.name)
    tags = dict(record.tags)
    made = client.create_model_version(
        record.name, model.model_uri, run_id, tags=tags, description=record.note or None, model_id=model.model_id
    )
    client.set_registered_model_alias(record.name, CHALLENGER, made.version)
    return str(made.version)


def _log(mlflow: Any, record: RunRecord) -> None:
    mlflow.set_tags({**environment_tags(), **record.tags, **({NOTE: record.note} if record.note else {})})
    mlflow.log_params({name: str(value) for name, value in record.parameters.items()})
    mlflow.log_params({f"data.{one.cohort_id}.{one.context}.hash": one.content_hash for one in record.data})
    mlflow.log_metrics(dict(record.metrics))
    for one in record.data:
        mlflow.log_input(_dataset(one), context=one.context)
    mlflow.log_artifacts(str(record.artefact), artifact_path="artefact")
    for folder, files in record.files.items():
        for file in files:
            mlflow.log_artifact(str(file), artifact_path=folder)


def _log_resamples(mlflow: Any, record: RunRecord, experiment: str) -> None:
    for name, metrics in record.resamples:
        with mlflow.start_run(experiment_id=experiment, run_name=name, nested=True):
            mlflow.set_tags(
                {key: record.tags[key] for key in ("endpoint", "family", "synthetic") if key in record.tags}
            )
            mlflow.log_metrics(dict(metrics))


def _dataset(one: LoggedData) -> Any:
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    source = CodeDatasetSource(tags={"cohort": one.cohort_id, "source": one.source, "cases": str(one.cases)})
    return MetaDataset(source, name=one.cohort_id, digest=one.content_hash.removeprefix("sha256:")[:DIGEST_LENGTH])


def _log_model(mlflow: Any, record: RunRecord) -> Any:
    """Log the artefact folder as a pyfunc whose loader is ``models.pyfunc``: no pickle is written or read."""
    return mlflow.pyfunc.log_model(
        name="model",
        loader_module="models.pyfunc",
        data_path=str(record.artefact),
        code_paths=code_folders(MODEL_PACKAGES),
        pip_requirements=["numpy", "lightgbm", "pydantic"],
    )


def find_version(name: str, version_or_alias: str = CHALLENGER) -> ModelVersion:
    """Return a registered version by number or alias.

    Raises
    ------
    RunNotFound
        Naming the versions that there are.
    """
    with _store() as mlflow:
        client = mlflow.MlflowClient()
        try:
            if version_or_alias.isdigit():
                return client.get_model_version(name, version_or_alias)
            return client.get_model_version_by_alias(name, version_or_alias)
        except mlflow.exceptions.MlflowException:
            known = sorted((one.version for one in client.search_model_versions(f"name = '{name}'")), key=int)
            raise RunNotFound(
                f"{name} has no version or alias {version_or_alias!r}", allowed=known, way_out="Train it first."
            ) from None


@dataclass(frozen=True)
class Logged:
    """A run as the store has it: id, tags, parameters, and (context, cohort, content hash) of its data."""

    run_id: str
    name: str
    tags: Mapping[str, str]
    hashes: Sequence[tuple[str, str, str]]
    parameters: Mapping[str, str] = field(default_factory=dict)

    def fetch(self, folder: str, into: Path) -> Path:
        """Copy what the run logged under ``folder`` to a local place and return it."""
        with _store() as mlflow:
            into.mkdir(parents=True, exist_ok=True)
            download = mlflow.artifacts.download_artifacts
            return Path(download(run_id=self.run_id, artifact_path=folder, dst_path=str(into)))


def find_run(which: str) -> Logged:
    """Return a run by its id, or by ``NAME/VERSION`` or ``NAME@ALIAS`` of the model it registered.

    Raises
    ------
    RunNotFound
        When the store does not have it.
    """
    run_id = which
    for mark in ("@", "/"):
        if mark in which:
            run_id = str(find_version(*which.split(mark, 1)).run_id)
            break
    with _store() as mlflow:
        try:
            run = mlflow.get_run(run_id)
        except mlflow.exceptions.MlflowException:
            way_out = "Give a run id, NAME/VERSION or NAME@ALIAS; `oncorespond ui` shows them."
            raise RunNotFound(f"there is no run {which!r}", way_out=way_out) from None
        name = run.data.tags.get("mlflow.runName", run_id)
        return Logged(run_id, name, dict(run.data.tags), _hashes(run.data.params), dict(run.data.params))


def _hashes(parameters: Mapping[str, str]) -> list[tuple[str, str, str]]:
    found = []
    for key, value in parameters.items():
        if key.startswith("data.") and key.endswith(".hash"):
            cohort, context = key.removeprefix("data.").removesuffix(".hash").rsplit(".", 1)
            found.append((context, cohort, value))
    return found


def fetch(version: ModelVersion, folder: str, into: Path) -> Path:
    """Copy what a run logged under ``folder`` (``artefact``, ``tables``) to a local place and return it."""
    with _store() as mlflow:
        download = mlflow.artifacts.download_artifacts
        return Path(download(run_id=version.run_id, artifact_path=folder, dst_path=str(into)))


def set_alias(name: str, alias: str, version: str, tags: Mapping[str, str]) -> None:
    """Give a version an alias and record why on the version itself (gate verdict, or who forced it and why)."""
    with _store() as mlflow:
        client = mlflow.MlflowClient()
        for key, value in tags.items():
            client.set_model_version_tag(name, version, key, value)
        client.set_registered_model_alias(name, alias, version)
