"""MLflow's door to an artefact: ``mlflow.pyfunc.log_model(loader_module="models.pyfunc", data_path=FOLDER, ...)``.

MLflow is not imported here, and nothing is pickled: MLflow calls :func:`_load_pyfunc` with the artefact's folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.case import read_case
from features.flat_rows import case_of_row
from features.from_cases import batch_of
from models.answer import scored_columns
from models.artifact import load_artifact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from models.response import ResponseModel


class FlatCasesModel:
    """A response model that answers a DataFrame of flat cases.

    Columns are the dotted paths of :mod:`features.flat` (``histology``, ``tmb.mut_per_mb``, ``therapy.agents``, ...);
    the result has one row per case in input order and the columns of :func:`models.answer.scored_columns`.
    """

    def __init__(self, model: ResponseModel) -> None:
        self.model = model

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Answer every row of a DataFrame; a row that is no valid case is refused with its fields.

        Parameters
        ----------
        model_input
            A pandas DataFrame; anything else with ``to_dict("records")`` will do.
        params
            MLflow passes inference parameters; there are none.

        Raises
        ------
        InvalidCase
            For the first row that is not a case.
        """
        del params
        return type(model_input)(self.columns(model_input.to_dict("records")))

    def columns(self, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Answer flat rows, as columns."""
        return scored_columns(self.model.answers(batch_of([read_case(case_of_row(row)) for row in rows])))


def _load_pyfunc(path: str) -> FlatCasesModel:
    """Load an artefact for MLflow."""
    return FlatCasesModel(load_artifact(Path(path)))
