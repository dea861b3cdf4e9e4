"""What the pages are given by the service: the log, the served models, and how forms of a session are signed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from serving.audit.replay import Artefacts
from serving.served_models import models_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from serving.audit.auditor import Auditor
    from serving.pages.log_follow import LogReader
    from serving.predictor import Predictor
    from serving.state import ServiceState


@dataclass(frozen=True)
class PagesState:
    """What every page may ask for.

    Attributes
    ----------
    get_auditor
        The audit log of this worker; raises a refusal while there is none.
    get_predictor
        The served models; None when none is ready.
    csrf_token
        From a session's text to the token that its forms carry.
    get_model_folders
        Folders with promoted artefacts, for replay.
    kept
        What pages keep between requests of this worker (precomputed columns, loaded artefacts), by name.
    """

    get_auditor: Callable[[], Auditor]
    get_predictor: Callable[[], Predictor | None]
    csrf_token: Callable[[str], str]
    get_model_folders: Callable[[], tuple[Path, ...]]
    kept: dict[str, Any] = field(default_factory=dict)
    _reader: list[LogReader] = field(default_factory=list, repr=False)
    _opening: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of(cls, service: ServiceState) -> Self:
        """Return what the pages take from the service."""
        return cls(
            get_auditor=service.ready_auditor,
            get_predictor=service.predictor,
            csrf_token=lambda session: service.gatekeeper().sessions.csrf_token(session),
            get_model_folders=lambda: (models_folder(),),
        )

    @property
    def model_folders(self) -> tuple[Path, ...]:
        """Folders with promoted artefacts."""
        return self.get_model_folders()

    @property
    def artefacts(self) -> Artefacts:
        """Artefacts by digest, each loaded once per worker: what an answer of the log is repeated with."""
        found: Artefacts = self.kept.setdefault("artefacts", Artefacts(self.model_folders))
        return found

    def reader(self) -> LogReader:
        """Return the columns of the log that lists and bulk pages read; opened by the first page that asks."""
        from serving.pages import charts
        from serving.pages.log_follow import LogReader

        with self._opening:
            if not self._reader:
                self._reader.append(LogReader.open(self.get_auditor(), self.model_folders))
                charts.warm()
            return self._reader[0]

    def close(self) -> None:
        """Stop following the log, and end what runs beside the pages; call it before the log is closed."""
        if checks := self.kept.get("checks"):
            checks.close()
        with self._opening:
            while self._reader:
                self._reader.pop().close()
