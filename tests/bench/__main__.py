"""``python -m tests.bench [--parts abcde] [--largest N]``: measure, keep the history, write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.timing import Figure
from tests.conftest import ROOT

HISTORY = ROOT / "docs" / "benchmarks.jsonl"
PAGE = ROOT / "docs" / "benchmarks.md"
FAILED: list[str] = []
"""Parts that ended with an error."""

BEGIN, END = "<!-- table: make bench -->", "<!-- end of table -->"


def measured(parts: str, folder: Path, largest: int) -> Iterator[list[Figure]]:
    """The figures of the parts that are asked for, part by part."""
    from tests.bench import encoding, fitting, growth, requests, scoring

    work: dict[str, Callable[[], list[Figure]]] = {
        "a": lambda: scoring.figures(folder),
        "b": lambda: encoding.figures(folder),
        "c": lambda: requests.figures(folder),
        "d": fitting.figures,
        "e": lambda: growth.figures(folder, largest),
    }
    for part in parts:
        start = time.monotonic()
        try:
            found = work[part]()
        except Exception:  # the other parts are worth having; the command fails in the end
            traceback.print_exc()
            FAILED.append(part)
            continue
        for figure in found:
            print(f"{figure.part:11} {figure.ratio:9.3g} {figure.unit:2} {figure.what}", flush=True)
        print(f"  part {part} took {time.monotonic() - start:.0f} s", flush=True)
        yield found


def table(figures: list[Figure]) -> str:
    """The table of the page, in Markdown."""
    lines = ["| part | what | ratio | bar | kept |", "|---|---|---|---|---|"]
    for one in figures:
        bar = "" if one.bar is None else f"{'at most' if one.at_most else 'at least'} {one.bar:g}"
        kept = {True: "yes", False: "**no**", None: ""}[one.kept]
        shown = f"{one.ratio:.0f} {one.unit}" if one.unit == "MB" else f"{one.ratio:.3g}"
        lines.append(f"| {one.part} | {one.what} | {shown} | {bar} | {kept} |")
    return "\n".join(lines)


def main() -> None:
    """Run the bench."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--parts", default="abcde")
    asked.add_argument("--largest", type=int, default=1_000_000)
    asked.add_argument("--folder", type=Path, default=None)
    given = asked.parse_args()
    start, figures = time.monotonic(), []
    with tempfile.TemporaryDirectory() as place:
        for found in measured(given.parts, given.folder or Path(place), given.largest):
            figures = sorted([*figures, *found], key=lambda one: one.part)
            record = _record(figures, start)
            _write(figures, record)
    with HISTORY.open("a", encoding="utf-8") as history:
        history.write(json.dumps(record) + "\n")
    if FAILED:
        raise SystemExit(f"part {', '.join(FAILED)} ended with an error, see above")


def _record(figures: list[Figure], start: float) -> dict[str, Any]:
    load = os.getloadavg()[1]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {load:.0f}",
        "minutes": round((time.monotonic() - start) / 60, 1),
        "ratios": {f"{one.part}: {one.what}": float(f"{one.ratio:.4g}") for one in figures},
    }


def _write(figures: list[Figure], record: dict[str, Any]) -> None:
    words = f"Measured on {record['date']}: {record['machine']}; {record['minutes']:g} minutes.\n\n"
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{words}{table(figures)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
