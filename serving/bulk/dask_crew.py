"""Dask as the crew: a cluster of this machine, or one that runs elsewhere; lost workers are Dask's business.

A task carries its block's place (a file and a range of rows) and the model's artefact, so workers need the package and
sight of the input, nothing else. When a worker is lost, Dask gives its blocks to others; what a block becomes does not
depend on who scores it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.cluster import client_of
from serving.bulk.crew import IN_HAND, WorkerLost
from serving.bulk.parcel import Parcel, score_parcel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from models.response import ResponseModel
    from serving.bulk.columns import Contributions
    from serving.bulk.crew import Done, Numbered

RETRIES = 5
"""How often a block is tried again after a worker was lost."""


class Dask:
    """A Dask cluster.

    Parameters
    ----------
    model, contributions
        As for every crew.
    scheduler
        ``local`` (a cluster of this machine), ``tcp://host:8786``, or a scheduler file (``.json``).
    workers
        Processes of a local cluster.
    """

    def __init__(self, model: ResponseModel, contributions: Contributions, scheduler: str, workers: int) -> None:
        self._parcel, self._scheduler, self._workers = Parcel.of(model, contributions), scheduler, workers

    def work(self, blocks: Iterable[Numbered]) -> Iterator[Done]:
        """Score blocks on the cluster, twice as many in hand as it has workers.

        Raises
        ------
        WorkerLost
            When a block lost one worker after the other; finished blocks are kept.
        """
        from distributed import KilledWorker, as_completed

        with client_of(self._scheduler, self._workers) as client:
            ahead = IN_HAND * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
            numbers: dict[str, int] = {}
            upcoming = iter(blocks)
            futures = as_completed(self._submitted(client, upcoming, numbers, ahead))
            try:
                for future in futures:
                    yield numbers.pop(future.key), future.result()
                    for more in self._submitted(client, upcoming, numbers, 1):
                        futures.add(more)
            except KilledWorker as error:
                raise WorkerLost(
                    "a block lost one worker after the other", way_out="Give workers more memory."
                ) from error

    def _submitted(self, client: Any, blocks: Iterator[Numbered], numbers: dict[str, int], most: int) -> list[Any]:
        found = []
        for _ in range(most):
            upcoming = next(blocks, None)
            if upcoming is None:
                break
            number, block = upcoming
            future = client.submit(score_parcel, block, self._parcel, pure=False, retries=RETRIES)
            numbers[future.key] = number
            found.append(future)
        return found
