"""Hot-swap: when a pointer of the promoted folder changes, the new model is loaded beside the old one, then takes over.

A thread looks every two seconds, off the path of requests. A model is loaded whole (manifest, digests, self-test)
before it answers anybody; requests under way end with the one they began with. What cannot be loaded is not served:
the old one goes on, and log, ``/readyz`` and a metric say so. Challengers (:mod:`serving.shadow`) are followed alike.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from features.errors import Refusal
from models.pointer import CHALLENGERS, promoted_names
from serving.predictor import Predictor
from serving.served_models import load_served

if TYPE_CHECKING:
    from pathlib import Path

    from models.response import ResponseModel
    from serving.metrics import ServiceMetrics

log = logging.getLogger("oncorespond.serving")

LOOK_EVERY_S = 2.0
"""Seconds between two looks: a few small files are read."""

TRY_AGAIN_S = 60.0
"""Seconds until a refused artefact is tried again although no pointer has changed: its folder may be mended."""


@dataclass
class FollowedFolder:
    """The models of one folder of promoted ones, as they were last when all of them could be loaded.

    Attributes
    ----------
    folder
        With one pointer per name.
    synthetic
        Whether models of synthetic cases may be served.
    may_be_empty
        Whether it may hold no model, or not be there.
    by_family
        The models.
    refused
        Code of why what the pointers say now is not served; None when it is.
    """

    folder: Path
    synthetic: bool
    may_be_empty: bool = False
    by_family: dict[str, ResponseModel] = field(default_factory=dict)
    refused: str | None = None
    _seen: dict[str, bytes] = field(default_factory=dict, repr=False)
    _tried: float = float("-inf")

    def load(self) -> Self:
        """Load what is promoted now; the refusals are those of :func:`serving.served_models.load_served`."""
        self._tried, seen = time.monotonic(), self._pointers()
        try:
            if seen or not self.may_be_empty:
                self.by_family = load_served(self.folder, self.synthetic, self.by_family.values())
            else:
                self.by_family = {}
        finally:
            self._seen = seen
        return self

    def look(self) -> bool:
        """Load anew when a pointer has changed; return whether other models are served than before."""
        mend = self.refused is not None and time.monotonic() - self._tried > TRY_AGAIN_S
        if self._pointers() == self._seen and not mend:
            return False
        before = self.by_family
        try:
            self.load()
        except (Refusal, OSError, ValueError) as fault:
            self.refused = fault.code if isinstance(fault, Refusal) else "artifact_unreadable"
            told = fault.log_text() if isinstance(fault, Refusal) else type(fault).__name__
            log.error("model_refused", extra={"refusal": told, "digest": _digests(before)})
            return False
        self.refused = None
        return any(one is not before.get(family) for family, one in self.by_family.items()) or before.keys() > (
            self.by_family.keys()
        )

    def _pointers(self) -> dict[str, bytes]:
        """Return the text of every pointer by name; one that vanishes under our eyes is not there."""
        found = {}
        for name in promoted_names(self.folder):
            try:
                found[name] = (self.folder / f"{name}.json").read_bytes()
            except OSError:
                continue
        return found


class FollowedModels:
    """The predictor of one worker, and the thread that follows the promoted folder.

    Parameters
    ----------
    folder
        Of the promoted models; challengers are in its folder ``challengers``.
    synthetic
        Whether models of synthetic cases may be served.

    Raises
    ------
    Refusal
        When what is promoted now cannot be served, a challenger included: a service does not start half.
    """

    def __init__(self, folder: Path, synthetic: bool) -> None:
        self._served = FollowedFolder(folder, synthetic).load()
        self._challengers = FollowedFolder(folder / CHALLENGERS, synthetic, may_be_empty=True).load()
        self._predictor = Predictor(self._served.by_family)
        self._metrics: ServiceMetrics | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def predictor(self) -> Predictor:
        """What answers now; ask once per request."""
        return self._predictor

    @property
    def challengers(self) -> dict[str, ResponseModel]:
        """Family to the model that answers it in shadow."""
        return self._challengers.by_family

    @property
    def remark(self) -> str | None:
        """Code of the reason why a newly promoted model is not served; None when all is served that is promoted."""
        return self._served.refused or self._challengers.refused

    def follow(self, metrics: ServiceMetrics, every_s: float = LOOK_EVERY_S) -> None:
        """Start to look every so many seconds, until :meth:`close`."""
        self._metrics = metrics
        self._thread = threading.Thread(target=self._run, args=(every_s,), name="model-follower", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=30)

    def look(self) -> None:
        """Look once, and let what is new take over."""
        refused_before = self.remark
        before = self._served.by_family
        swapped = self._served.look()
        if swapped:
            self._predictor = Predictor(self._served.by_family)
            _tell("model_swapped", before, self._served.by_family)
        challenged = self._challengers.look()
        if challenged:
            _tell("challenger_swapped", {}, self._challengers.by_family)
        if swapped or challenged:
            _freeze()
        if self._metrics is not None:
            self._metrics.model_refused(self.remark is not None)
            if swapped:
                self._metrics.count_swap("taken")
            if self.remark is not None and refused_before is None:
                self._metrics.count_swap("refused")

    def _run(self, every_s: float) -> None:
        while not self._stop.wait(every_s):
            try:
                self.look()
            except Exception as fault:  # a fault of ours here must not end the looking
                log.error("model_follower_fault", extra={"fault": type(fault).__name__})


def _tell(event: str, before: dict[str, ResponseModel], now: dict[str, ResponseModel]) -> None:
    for family in sorted(before.keys() | now.keys()):
        old, new = before.get(family), now.get(family)
        if old is not new:
            name = (new or old).identity.name  # type: ignore[union-attr]  # one of the two is there
            digests = {"digest": new.identity.digest if new else None, "before": old.identity.digest if old else None}
            log.warning(event, extra={"model": name, **digests})


def _digests(by_family: dict[str, ResponseModel]) -> str:
    return " ".join(one.identity.digest for one in by_family.values())


def _freeze() -> None:
    """Take the new models from the collector's walks, and give it back the old ones."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
