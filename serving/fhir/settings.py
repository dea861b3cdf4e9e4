"""What the two clinical adapters need before they start, and who answered for starting them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from serving.fhir.refusals import ClinicalSettingsRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

PUBLIC_URL = "ORP_PUBLIC_URL"
PATIENT_VIEW = "ORP_CDS_PATIENT_VIEW"

ON_THIS_MACHINE = "http://127.0.0.1:3000"
"""Where clients reach a service that nothing stands before: it listens on this machine alone."""

_NAME = re.compile(r"[^\x00-\x1f\x7f]{2,80}")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class ClinicalSettings:
    """How the adapters are set up.

    Attributes
    ----------
    acknowledged_by
        Who acknowledged that this is clinical research and no medical device; logged at every start.
    public_url
        Where clients reach the service, without a slash at its end. Tokens are for addresses below it, and links and
        canonical addresses begin with it, so that it is never taken from a request.
    patient_view
        Whether the CDS service of the hook ``patient-view`` is offered; off unless asked for.

    Examples
    --------
    >>> settings = ClinicalSettings("Dr. A. Example", "https://orp.hospital.example")
    >>> settings.fhir_url
    'https://orp.hospital.example/fhir'
    """

    acknowledged_by: str
    public_url: str
    patient_view: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.acknowledged_by.strip()):
            raise ClinicalSettingsRefused(
                "a name of 2 to 80 characters is asked for", field="--clinical-research-acknowledged"
            )
        _check_url(self.public_url)

    @property
    def fhir_url(self) -> str:
        """Base address of the FHIR adapter."""
        return f"{self.public_url}/fhir"

    @property
    def card_url(self) -> str:
        """Where the model cards are."""
        return f"{self.public_url}/model/card"

    @classmethod
    def of(cls, acknowledged_by: str | None, environment: Mapping[str, str] = os.environ) -> Self | None:
        """Return the settings of a worker; None when nobody acknowledged, and then neither adapter exists.

        Parameters
        ----------
        acknowledged_by
            As ``serve --clinical-research-acknowledged`` was given it; the service logs it when it starts.
        environment
            ``$ORP_PUBLIC_URL`` and ``$ORP_CDS_PATIENT_VIEW``.

        Raises
        ------
        ClinicalSettingsRefused
            When the name or the public address is not usable.
        """
        if acknowledged_by is None:
            return None
        url = environment.get(PUBLIC_URL) or ON_THIS_MACHINE
        return cls(acknowledged_by, url, environment.get(PATIENT_VIEW) == "1")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    way_out = "Give the address clients use, such as https://oncorespond.hospital.example."
    if not parts.hostname or parts.query or parts.fragment or parts.username or url.endswith("/"):
        raise ClinicalSettingsRefused(
            "an address without query and without a slash at its end is asked for", field=PUBLIC_URL, way_out=way_out
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ClinicalSettingsRefused(
            "https is asked for, http on this machine only", field=PUBLIC_URL, way_out=way_out
        )
