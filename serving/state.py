"""What every route of one worker stands on: predictor, audit log, metrics, and who is let in."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serving.audit.refusals import AuditUnavailable
from serving.errors import NotReady

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.audit.auditor import Auditor
    from serving.metrics import ServiceMetrics
    from serving.predictor import Predictor
    from serving.security.gatekeeper import Gatekeeper

log = logging.getLogger("oncorespond.serving")


@dataclass(frozen=True)
class ServiceState:
    """What routes ask for; modules of routes take it as ``add_...(app, state)``.

    Attributes
    ----------
    predictor
        Called at every request; None while no model is ready. Call it once per request: it may change in between.
    auditor
        Called at every request; None while the log is not open.
    metrics
        Counts answers and is shown at ``/metrics``.
    gatekeeper
        Called at every request; sessions and CSRF tokens are its.
    acknowledged_by
        Who acknowledged that the adapters for clinical systems are for research; they are not there when None.
    remark
        Called by ``/readyz``: code of why a newly promoted model is not served; None when all is as promoted.
    closing
        Called by :meth:`close`, the last first: what modules of routes keep open.
    """

    predictor: Callable[[], Predictor | None]
    auditor: Callable[[], Auditor | None]
    metrics: ServiceMetrics
    gatekeeper: Callable[[], Gatekeeper]
    acknowledged_by: str | None = None
    remark: Callable[[], str | None] = lambda: None
    closing: list[Callable[[], None]] = field(default_factory=list)

    def ready_predictor(self) -> Predictor:
        """Return the predictor.

        Raises
        ------
        NotReady
            503: no model is loaded.
        """
        found = self.predictor()
        if found is None:
            raise NotReady("no model is being served", way_out="Promote one: `oncorespond promote`, then ask again.")
        return found

    def ready_auditor(self) -> Auditor:
        """Return the open log.

        Raises
        ------
        AuditUnavailable
            503: it is not open.
        """
        found = self.auditor()
        if found is None:
            raise AuditUnavailable("the audit log is not open", way_out="See the log of the service; then ask again.")
        self.metrics.audit_lag(found.lag_s)
        return found

    def close(self) -> None:
        """Close what modules of routes keep open; call it before the log is closed, which no fault here may prevent."""
        while self.closing:
            try:
                self.closing.pop()()
            except Exception as fault:
                log.error("close_fault", extra={"fault": type(fault).__name__})
