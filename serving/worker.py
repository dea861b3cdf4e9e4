"""One worker: its models, its open log and its door, made when it starts and closed when it has drained."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

from serving.audit.auditor import Auditor
from serving.audit.used_tokens import UsedTokens
from serving.hot_swap import FollowedModels
from serving.security.gatekeeper import Gatekeeper, SecuritySettings
from serving.shadow import Shadow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from serving.metrics import ServiceMetrics
    from serving.predictor import Predictor
    from serving.security.gatekeeper import HooksOf

ACKNOWLEDGED = "ORP_CLINICAL_RESEARCH_ACKNOWLEDGED"
"""Set by ``serve --clinical-research-acknowledged NAME``: who acknowledged that the adapters are for research."""

LOOKED = "ORP_LOOKED"
"""Set by ``oncorespond serve``, which has tried to start a worker, for the server that it becomes."""

PUBLIC_URL = "ORP_PUBLIC_URL"
"""Where clinical systems reach the service: tokens of CDS clients name it, and cards link to it."""

DEFAULT_PUBLIC_URL = "http://127.0.0.1:3000"


@dataclass
class Worker:
    """What a worker holds while it serves."""

    models: FollowedModels
    auditor: Auditor
    gatekeeper: Gatekeeper
    shadow: Shadow | None = None

    @classmethod
    def start(cls, models: Path, synthetic: bool, settings: SecuritySettings | None = None) -> Self:
        """Load the models (their self-tests are scored again), open the log, build the door; or refuse to start.

        Parameters
        ----------
        models
            Folder of promoted models.
        synthetic
            Whether models of synthetic cases may be served.
        settings
            Of the door; by default from the environment.

        Raises
        ------
        Refusal
            Which of the three is not usable, and why: NoServedModels, AuditKeysRefused, NoWayIn and the like.
        """
        followed = FollowedModels(models, synthetic)
        auditor = Auditor.open()
        try:
            found = settings or SecuritySettings.from_environment()
            gatekeeper = Gatekeeper.from_settings(found, once=UsedTokens(auditor.database), hooks=_hooks())
        except BaseException:
            auditor.close()
            raise
        return cls(followed, auditor, gatekeeper)

    @property
    def predictor(self) -> Predictor:
        """What answers now; it may be another one at the next request."""
        return self.models.predictor

    def follow(self, metrics: ServiceMetrics) -> None:
        """Start what runs beside the answers: the look-out for newly promoted models, and their challengers."""
        self.shadow = Shadow(self.auditor, lambda: self.models.challengers, metrics).start()
        self.auditor.followers.append(self.shadow.offer)
        self.models.follow(metrics)

    def stop(self) -> None:
        """End what runs beside, write what waits and close the log."""
        self.models.close()
        if self.shadow is not None:
            self.shadow.close()
        self.auditor.close()


def _hooks() -> HooksOf | None:
    """Return what verifies CDS clients; None where nobody acknowledged the adapters."""
    if acknowledged_by() is None:
        return None
    from serving.cds_hooks.client_token import HookClients

    return partial(HookClients, public_url=os.environ.get(PUBLIC_URL) or DEFAULT_PUBLIC_URL)


def acknowledged_by(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return who acknowledged the use of the adapters for clinical systems; None when nobody did."""
    return environment.get(ACKNOWLEDGED) or None
