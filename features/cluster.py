"""Dask's scheduler, wherever it runs: for many cases at once, whether they are scored or trained on."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from features.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator


class NoScheduler(Refusal):
    """No Dask scheduler answers where one was named."""

    code = "no_scheduler"


@contextmanager
def client_of(scheduler: str, workers: int, memory: str = "auto") -> Iterator[Any]:
    """Connect to a cluster, or start one on this machine for as long as it is needed.

    Parameters
    ----------
    scheduler
        ``local``, ``tcp://host:8786``, or a scheduler file (``.json``).
    workers, memory
        Of a local cluster: processes of one thread each, and the memory of each (``1.5GB``); a worker puts aside on
        disk what it does not need beyond 60% of it.

    Raises
    ------
    NoScheduler
        When nothing answers at the address.
    """
    from distributed import Client, LocalCluster

    if scheduler == "local":
        # Dask's own HTTP server on any free port of this machine: two runs at a time do not quarrel over one port.
        wanted: dict[str, Any] = {"dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, memory_limit=memory, **wanted)
        with cluster, Client(cluster) as client:
            yield client
        return
    try:
        client = Client(scheduler_file=scheduler) if scheduler.endswith(".json") else Client(scheduler)
    except (OSError, ValueError) as error:
        raise NoScheduler(
            f"no Dask scheduler answers at {scheduler}", way_out="Give local, tcp://host:8786 or a scheduler file."
        ) from error
    with client:
        yield client
