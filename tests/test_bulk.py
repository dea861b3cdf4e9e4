"""Bulk scoring: the same bytes however it is run, interrupted or not; bad rows are set aside and stop nothing."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.case import read_case
from features.flat_rows import case_of_row
from features.from_cases import batch_of
from features.sources.synthetic import draw
from models.answer import scored_columns
from models.artifact import load_artifact, save_artifact
from models.response import ResponseModel
from serving.bulk import Options, UnreadableCases, score
from serving.bulk.folder import AnotherRun
from serving.bulk.rows import GRANULE, ParquetRows
from serving.bulk.run import UnknownOption
from tests.conftest import ROOT
from tests.flat_tables import synthetic_table
from tests.served import fit_small

CASES = 2 * GRANULE + 1_000
"""Three granules, the last one short."""

NONE = Options("none", block=GRANULE)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bulk") / "artifact"
    save_artifact(fit_small("checkpoint", 250), folder)
    return folder


@pytest.fixture(scope="module")
def model(artifact: Path) -> ResponseModel:
    return load_artifact(artifact)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Parquet file of several row groups, with rows that are no case and rows that need a second look."""
    table = synthetic_table(CASES, 12)
    ages = np.array(table.column("patient.age_years").to_pylist(), dtype=np.float64)
    ages[[5, 9_000, CASES - 1]] = 630.0
    names = table.column("histology").to_pylist()
    names[7] = "nowhere"
    names[8] = "Lung Adenocarcinoma"
    for name, values in {"patient.age_years": pa.array(ages, from_pandas=True), "histology": pa.array(names)}.items():
        table = table.set_column(table.column_names.index(name), name, values)
    path = tmp_path_factory.mktemp("cases") / "cases.parquet"
    pq.write_table(table, path, row_group_size=5_000)
    return path


@pytest.fixture(scope="module")
def expected(cases: Path, model: ResponseModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an undisturbed run of one process in one block writes, probability alone."""
    out = tmp_path_factory.mktemp("expected") / "out.parquet"
    score(cases, model, out, Options("none", block=100_000))
    return out


def same(one: Path, other: Path) -> bool:
    """The outputs and the refused rows beside them, byte for byte."""
    return all(
        (path.parent / name.format(path.stem)).read_bytes() == (other.parent / name.format(other.stem)).read_bytes()
        for path, name in ((one, "{}.parquet"), (one, "{}.refused.jsonl"))
    )


@pytest.mark.parametrize(
    "options", [Options("none", block=1), Options("none", workers=2, block=GRANULE)], ids=["small blocks", "processes"]
)
def test_same_bytes_whatever_the_blocks_and_the_workers(
    options: Options, cases: Path, model: ResponseModel, expected: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    scored = score(cases, model, tmp_path / "out.parquet", options, lambda done, n: seen.append((done, n)))
    assert same(tmp_path / "out.parquet", expected)
    assert scored.cases == CASES
    assert scored.refused == 4
    assert seen[-1] == (CASES, CASES)
    assert seen == sorted(seen)
    assert not (tmp_path / "out.parquet.parts").exists()


def test_row_groups_make_no_difference(cases: Path, model: ResponseModel, expected: Path, tmp_path: Path) -> None:
    pq.write_table(pq.read_table(cases), tmp_path / "one.parquet", row_group_size=1 << 20)
    score(tmp_path / "one.parquet", model, tmp_path / "out.parquet", NONE)
    assert same(tmp_path / "out.parquet", expected)


def test_rows_are_read_forward_from_any_granule(cases: Path) -> None:
    whole, rows = pq.read_table(cases, columns=["case_id"]), ParquetRows(str(cases))
    for start, stop in ((GRANULE, 2 * GRANULE), (2 * GRANULE, CASES), (0, 2 * GRANULE), (0, GRANULE)):
        found = pa.concat_tables([table.select(["case_id"]) for table in rows.granules(start, stop)])
        assert found.equals(whole.slice(start, stop - start).combine_chunks())


# --- interrupted --------------------------------------------------------------------------------------------------


def test_an_interrupted_run_goes_on_where_it_stopped(
    cases: Path, model: ResponseModel, expected: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"

    def interrupt(done: int, n: int) -> None:
        if done >= 2 * GRANULE:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(cases, model, out, NONE, interrupt)
    assert not out.exists()
    again = score(cases, model, out, Options("none", block=2 * GRANULE))  # it keeps the size it was started with
    assert again.resumed == 2 * GRANULE
    assert same(out, expected)


def test_blocks_of_another_run_are_refused_and_can_be_thrown_away(model: ResponseModel, tmp_path: Path) -> None:
    out, few = tmp_path / "out.parquet", tmp_path / "few.parquet"
    pq.write_table(synthetic_table(50, 1), few)
    with pytest.raises(KeyboardInterrupt):
        score(few, model, out, Options("grouped"), _stop)
    with pytest.raises(AnotherRun, match="--restart"):
        score(few, model, out, NONE)
    assert score(few, model, out, Options("none", restart=True)).resumed == 0
    assert "group:tmb" not in pq.read_schema(out).names


def _stop(done: int, n: int) -> None:
    if done:
        raise KeyboardInterrupt


RUN = """
import os
import signal
import sys
from pathlib import Path
from models.artifact import load_artifact
from serving.bulk import Options, score

if __name__ == "__main__":
    cases, artifact, out, scheduler = sys.argv[1:5]
    options = Options("none", 2, 8192, scheduler if scheduler != "-" else None)

    def told(done, n):
        print(done, flush=True)
        if done and scheduler == "-":
            os.killpg(0, signal.SIGKILL)  # the parent and its workers, without a word, when a block is done

    score(cases, load_artifact(Path(artifact)), out, options, told)
"""


def _started(folder: Path, cases: Path, artifact: Path, scheduler: str) -> subprocess.Popen[str]:
    script = folder / "run.py"
    script.write_text(RUN, encoding="utf-8")
    words = [sys.executable, str(script), str(cases), str(artifact), str(folder / "out.parquet"), scheduler]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)


def _first_block(run: subprocess.Popen[str]) -> None:
    assert run.stdout is not None
    for line in run.stdout:
        if int(line):
            return
    raise AssertionError("the run ended before its first block was done")


@pytest.fixture(scope="module")
def many(cases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two files: six blocks, so that there is something left to interrupt."""
    folder = tmp_path_factory.mktemp("many")
    for name in "ab":
        shutil.copy(cases, folder / f"{name}.parquet")
    return folder


@pytest.fixture(scope="module")
def expected_many(many: Path, model: ResponseModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("expected") / "out.parquet"
    score(many, model, out, Options("none"))
    return out


def test_killing_the_whole_run_and_starting_it_again(
    many: Path, artifact: Path, model: ResponseModel, expected_many: Path, tmp_path: Path
) -> None:
    with _started(tmp_path, many, artifact, "-") as run:
        _first_block(run)
        assert run.wait(timeout=60) == -signal.SIGKILL
    out = tmp_path / "out.parquet"
    assert not out.exists()
    again = score(many, model, out, NONE)
    assert 0 < again.resumed < again.cases
    assert same(out, expected_many)


def _children(parent: int) -> list[int]:
    """Processes that run Dask workers below a run."""
    import psutil

    below = psutil.Process(parent).children(recursive=True)
    return [one.pid for one in below if "spawn_main" in " ".join(one.cmdline())]


@pytest.mark.soak  # starts a cluster: 26 s; tests/test_distributed.py loses a Dask worker in every run
def test_dask_finishes_when_one_of_two_workers_is_killed(
    many: Path, artifact: Path, expected_many: Path, tmp_path: Path
) -> None:
    with _started(tmp_path, many, artifact, "local") as run:
        try:
            _first_block(run)
            workers = _children(run.pid)
            assert len(workers) == 2
            os.kill(workers[0], signal.SIGKILL)
            run.communicate(timeout=240)
            assert run.returncode == 0
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
    assert same(tmp_path / "out.parquet", expected_many)


# --- what is written ----------------------------------------------------------------------------------------------


def test_numbers_are_those_of_the_model_case_by_case(cases: Path, model: ResponseModel, tmp_path: Path) -> None:
    few = pq.read_table(cases).slice(0, 200)
    pq.write_table(few, tmp_path / "few.parquet")
    score(tmp_path / "few.parquet", model, tmp_path / "out.parquet")
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    good = [place for place in range(200) if place not in (5, 7)]
    raw = few.to_pylist()
    one_by_one = scored_columns(model.answers(batch_of([read_case(case_of_row(raw[place])) for place in good])))
    assert set(one_by_one) == set(rows[0])
    for name, values in one_by_one.items():
        for place, value in zip(good, list(values), strict=True):
            assert _agree(rows[place][name], value), (name, place)


def _agree(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, str):
        return bool(ours == theirs)
    return bool(np.isnan(theirs)) if ours is None else abs(ours - theirs) < 1e-12


def test_grouped_contributions_and_none(cases: Path, model: ResponseModel, tmp_path: Path) -> None:
    pq.write_table(pq.read_table(cases).slice(0, 300), tmp_path / "few.parquet")
    tables = {}
    for wanted in ("all", "grouped", "none"):
        out = tmp_path / f"{wanted}.parquet"
        score(tmp_path / "few.parquet", model, out, Options(wanted))  # type: ignore[arg-type]
        tables[wanted] = pq.read_table(out)
    everything, groups = tables["all"], tables["grouped"]
    assert not any(name.startswith(("phi:", "group:")) for name in tables["none"].column_names)
    for group in dict.fromkeys(model.feature_groups):
        mine = [name for name, of in zip(model.feature_names, model.feature_groups, strict=True) if of == group]
        summed = np.sum([_floats(everything, f"phi:{name}") for name in mine], axis=0)
        np.testing.assert_allclose(_floats(groups, f"group:{group}"), summed, atol=1e-12)
    whole = sum(_floats(groups, name) for name in groups.column_names if name.startswith("group:"))
    served = _floats(groups, "log_odds") - _floats(groups, "base_log_odds")
    np.testing.assert_allclose(whole, served, atol=1e-9)
    for name in ("probability", "interval_low", "interval_high", "log_odds"):
        np.testing.assert_allclose(_floats(tables["none"], name), _floats(everything, name), atol=1e-12)


def _floats(table: pa.Table, name: str) -> Any:
    return np.array(table.column(name).to_pylist(), dtype=np.float64)


def test_bad_rows_are_set_aside_with_their_reasons(expected: Path) -> None:
    lines = [json.loads(line) for line in (expected.parent / "out.refused.jsonl").read_text().splitlines()]
    assert [line["row"] for line in lines] == [5, 7, 9_000, CASES - 1]
    assert [line["problems"][0]["field"] for line in lines] == [
        "patient.age_years",
        "histology",
        *["patient.age_years"] * 2,
    ]
    table = pq.read_table(expected)
    assert table.column("status")[7].as_py() == "refused"
    assert table.column("reasons")[7].as_py() == "unknown_histology"
    assert table.column("probability")[7].as_py() is None
    assert table.column("status")[8].as_py() != "refused"


def test_a_run_without_bad_rows_leaves_no_older_side_file(model: ResponseModel, tmp_path: Path) -> None:
    pq.write_table(synthetic_table(50, 1), tmp_path / "in.parquet")
    (tmp_path / "out.refused.jsonl").write_text("of an earlier run\n")
    assert score(tmp_path / "in.parquet", model, tmp_path / "out.parquet").refused == 0
    assert not (tmp_path / "out.refused.jsonl").exists()


# --- where cases come from ----------------------------------------------------------------------------------------


def test_folders_globs_and_object_stores(model: ResponseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    table = synthetic_table(120, 3)
    parts = tmp_path / "parts"
    parts.mkdir()
    for place in range(3):
        pq.write_table(table.slice(40 * place, 40), parts / f"{place}.parquet")
    pq.write_table(table, tmp_path / "whole.parquet")
    store = fsspec.filesystem("memory")
    store.put(str(tmp_path / "whole.parquet"), "/bucket/whole.parquet")
    outs = []
    for number, source in enumerate((parts, parts / "*.parquet", "memory://bucket/whole.parquet")):
        out: str = str(tmp_path / f"{number}.parquet")
        assert score(str(source), model, out).cases == 120
        outs.append(pq.read_table(out))
    assert outs[0].equals(outs[1])
    for name in ("case_id", "status"):
        assert outs[2].column(name).to_pylist() == outs[0].column(name).to_pylist()
    np.testing.assert_allclose(_floats(outs[2], "log_odds"), _floats(outs[0], "log_odds"), atol=1e-12)
    monkeypatch.chdir(tmp_path)  # where the blocks of a remote output are kept
    score(parts, model, "memory://bucket/out.parquet")
    with fsspec.open("memory://bucket/out.parquet") as written:
        assert pq.read_table(written).equals(outs[0])


def test_cohorts_and_json_lines_are_scored_alike(model: ResponseModel, tmp_path: Path) -> None:
    cohort = draw("checkpoint", 60, 4)
    cohort.save(tmp_path / "cohort")
    lines = [case.model_dump_json(exclude_none=True, by_alias=True) for case in cohort]
    (tmp_path / "cases.jsonl").write_text("\n".join(lines) + "\n{not json}\n", encoding="utf-8")
    score(tmp_path / "cohort", model, tmp_path / "a.parquet")
    counts = score(tmp_path / "cases.jsonl", model, tmp_path / "b.parquet")
    assert (counts.cases, counts.refused) == (61, 1)
    one, other = pq.read_table(tmp_path / "a.parquet"), pq.read_table(tmp_path / "b.parquet").slice(0, 60)
    assert one.column("case_id").to_pylist() == other.column("case_id").to_pylist()
    np.testing.assert_allclose(_floats(one, "log_odds"), _floats(other, "log_odds"), atol=1e-12)


@pytest.mark.parametrize(
    "name", ["nothing", "notes.txt", "empty", "broken.parquet", "none.jsonl", "nosuch://here/x.parquet"]
)
def test_what_is_no_input_is_refused(name: str, model: ResponseModel, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 but no more")
    (tmp_path / "none.jsonl").write_text("\n")
    place = name if "://" in name else str(tmp_path / name)
    with pytest.raises(UnreadableCases):
        score(place, model, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet.parts").exists()


def test_options_are_checked() -> None:
    with pytest.raises(UnknownOption, match="grouped"):
        Options("some")  # type: ignore[arg-type]
    with pytest.raises(UnknownOption):
        Options(block=0)


def test_the_bar_says_rate_and_time_left() -> None:
    from rich.console import Console

    from serving.bulk.bar import bar

    shown, page = bar(hidden=True), Console(width=160, record=True, file=io.StringIO())
    task = shown.add_task("scoring", total=1_000)
    for done in (0, 100, 300):
        shown.update(task, completed=done)
        time.sleep(0.01)
    page.print(shown.get_renderable())
    text = page.export_text()
    assert "300/1000" in text
    assert "cases/s" in text
    assert "left" in text
