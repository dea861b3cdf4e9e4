"""Timing: CPU seconds in turns, peak memory of a process tree, and the exponent of growth."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import psutil

from tests.conftest import ROOT


@dataclass(frozen=True)
class Figure:
    """One line of the table: what is compared, the ratio, and the bar it is held to (None: for information)."""

    part: str
    what: str
    ratio: float
    bar: float | None = None
    at_most: bool = False
    unit: str = "x"

    @property
    def kept(self) -> bool | None:
        """Whether the bar is kept; None where there is none."""
        if self.bar is None:
            return None
        return self.ratio <= self.bar if self.at_most else self.ratio >= self.bar


def cpu() -> float:
    """CPU seconds of this process and of its finished children."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def in_turns(work: Mapping[str, tuple[Callable[[], object], int]], rounds: int = 3) -> dict[str, float]:
    """CPU seconds per case of each piece of work: the best of some rounds, all pieces in turns.

    ``work`` maps a name to what is done and for how many cases.
    """
    best = dict.fromkeys(work, float("inf"))
    for _ in range(rounds):
        for name, (do, cases) in work.items():
            gc.collect()
            start = cpu()
            do()
            best[name] = min(best[name], (cpu() - start) / cases)
    return best


def exponent(seconds_by_cases: Mapping[int, float]) -> float:
    """Slope of log time over log cases, by least squares."""
    n, seconds = (
        np.log(np.array(list(values), dtype=float)) for values in (seconds_by_cases, seconds_by_cases.values())
    )
    return float(np.polyfit(n, seconds, 1)[0])


def peak_of(code: str, *arguments: str, timeout: float = 1_800) -> tuple[float, float]:
    """Run Python code in a process of its own; return its peak memory in MB, children's added, and CPU seconds.

    Resident memory of all processes of the tree is added up, so shared pages count more than once.
    """
    before, peak = cpu(), 0
    with subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL) as run:
        tree = psutil.Process(run.pid)
        end = time.monotonic() + timeout
        while run.poll() is None and time.monotonic() < end:
            peak = max(peak, _resident(tree))
            time.sleep(0.1)
        if run.poll() is None:
            run.kill()
    if run.returncode:
        raise RuntimeError(f"the measured process ended with {run.returncode}")
    return peak / 1e6, cpu() - before


def _resident(tree: psutil.Process) -> int:
    found = 0
    try:
        for process in (tree, *tree.children(recursive=True)):
            found += process.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return found
