"""The artefact: the same bytes, the same answers, and every kind of tampering refused by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.artifact import load_artifact, save_artifact
from models.artifact_refusals import (
    ArtifactRefusal,
    DigestDiffers,
    FileMissing,
    NotAnArtifact,
    SignatureInvalid,
    SignatureMissing,
)
from models.manifest import MANIFEST, files_in, json_bytes, sign, write_manifest
from models.pointer import NothingPromoted, PromotionRefused, load_promoted, promote, promoted_names, read_pointer
from models.pyfunc import FlatCasesModel
from tests.cases import golden
from tests.conftest import ROOT
from tests.invented_models import InventedEvidence, InventedTable
from tests.test_response_model import CASES, MODEL


def load(folder, **more):
    return load_artifact(folder, table_from=InventedTable.from_dict, evidence_from=lambda _: InventedEvidence(), **more)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "artefact"
    return folder, save_artifact(MODEL, folder).identity.digest


@pytest.fixture
def copied(saved, tmp_path):
    shutil.copytree(saved[0], tmp_path / "copy")
    return tmp_path / "copy"


def test_the_same_fit_gives_the_same_bytes(saved, tmp_path):
    again = save_artifact(MODEL, tmp_path / "elsewhere")
    assert again.identity.digest == saved[1]
    for path in files_in(saved[0]):
        assert (saved[0] / path).read_bytes() == (tmp_path / "elsewhere" / path).read_bytes()


def test_files_are_those_of_the_design(saved):
    assert files_in(saved[0]) == sorted(
        [
            *("features.json", "evidence.json", "linear.json", "boosted/00.txt", "boosted/01.txt"),
            *("calibration.json", "interval.npz", "applicability.json", "card.json", "selftest.json"),
        ]
    )


def test_nothing_of_the_machine_lies_inside(saved):
    home = os.path.expanduser("~")  # noqa: PTH111  # Path.home() fails for a user whom the system does not know
    places = [str(saved[0]), str(ROOT), *([home] if len(Path(home).parts) > 1 else [])]  # "/" is no trace of anybody
    for path in files_in(saved[0]):
        content = (saved[0] / path).read_bytes()
        assert [place for place in places if place.encode() in content] == []


def test_a_loaded_model_answers_bit_for_bit(saved):
    model = load(saved[0], digest=saved[1], version="3")
    ours, theirs = (one.answers(CASES.batch).scores for one in (MODEL, model))
    for name in ("log_odds", "probability", "low", "high", "phi", "parts"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name))
    assert (model.identity.name, model.identity.version) == ("invented-response", "3")


def tamper(folder, how):
    kind, _, name = how.partition(":")
    if kind == "flip":
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(bytes(content))
    elif kind == "remove":
        (folder / name).unlink()
    elif kind in ("add", "write"):
        (folder / name).write_bytes(b"something")
    elif kind == "format":
        manifest = json.loads((folder / MANIFEST).read_bytes())
        (folder / MANIFEST).write_bytes(json_bytes({**manifest, "format": name}))
    else:
        stored = json.loads((folder / name).read_bytes())
        key = "base" if "base" in stored else "a"
        (folder / name).write_bytes(json_bytes({**stored, key: stored[key] + 1e-6}))
        write_manifest(folder, "invented-response")


@pytest.mark.parametrize("row", golden("artifact_tampering"), ids=lambda row: row["case"])
def test_tampering_is_refused_by_name(row, copied):
    tamper(copied, row["input"])
    with pytest.raises(ArtifactRefusal) as refused:
        load(copied)
    assert refused.value.code == row["expected"]


def test_a_link_that_leads_nowhere_is_a_missing_file(copied):
    (copied / "card.json").unlink()
    (copied / "card.json").symlink_to(copied / "nowhere")
    with pytest.raises(FileMissing, match=r"card.json is listed and not there"):
        load(copied)


@pytest.mark.parametrize("name", ["calibration.json", "boosted/00.txt"])
def test_a_manifest_that_leaves_a_file_out_is_refused_by_its_name(copied, name):
    listed = json.loads((copied / "manifest.json").read_text())
    del listed["files"][name]
    (copied / name).unlink()
    (copied / "manifest.json").write_text(json.dumps(listed))
    with pytest.raises(FileMissing, match=f"{name} is needed and not listed"):
        load(copied)


def test_a_manifest_without_a_name_is_none(copied):
    listed = json.loads((copied / "manifest.json").read_text())
    del listed["name"]
    (copied / "manifest.json").write_text(json.dumps(listed))
    with pytest.raises(NotAnArtifact, match="names no model"):
        load(copied)


def test_another_digest_than_the_pointers_is_refused(copied):
    with pytest.raises(DigestDiffers, match="the pointer names sha256:0"):
        load(copied, digest="sha256:0")


def test_an_artefact_is_never_written_over(copied):
    with pytest.raises(NotAnArtifact, match="not empty"):
        save_artifact(MODEL, copied)


def test_signature(copied):
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    pem = form.Encoding.PEM
    public, stranger = (
        one.public_key().public_bytes(pem, form.PublicFormat.SubjectPublicKeyInfo) for one in (key, other)
    )
    with pytest.raises(SignatureMissing):
        load(copied, public_key=public)
    sign(copied, key.private_bytes(pem, form.PrivateFormat.PKCS8, form.NoEncryption()))
    load(copied, public_key=public)
    with pytest.raises(SignatureInvalid):
        load(copied, public_key=stranger)
    (copied / "manifest.sig").write_bytes(b"no signature")
    with pytest.raises(SignatureInvalid):
        load(copied, public_key=public)


def test_promotion_and_pointer(saved, tmp_path):
    folder, digest = saved
    pointer = promote(folder, tmp_path, "invented-response", "1")
    assert (pointer.digest, pointer.synthetic, pointer.alias) == (digest, True, "champion")
    assert read_pointer(tmp_path, "invented-response") == pointer
    assert promote(folder, tmp_path, "invented-response", "1") == pointer
    promote(folder, tmp_path, "invented-response", "2")
    assert read_pointer(tmp_path, "invented-response").version == "2"
    assert promoted_names(tmp_path) == ["invented-response"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        *("invented-response-1", "invented-response-2", "invented-response.json")
    ]
    with pytest.raises(NothingPromoted, match="Allowed: invented-response"):
        load_promoted(tmp_path, "another")


@pytest.mark.parametrize(("name", "version"), [("../up", "1"), ("Capital", "1"), ("good", "../1"), ("good", "")])
def test_names_that_are_no_folder_names_are_refused(saved, tmp_path, name, version):
    with pytest.raises(PromotionRefused):
        promote(saved[0], tmp_path, name, version)


def test_a_version_is_one_artefact(saved, copied, tmp_path):
    promote(saved[0], tmp_path / "m", "invented-response", "1")
    (copied / "card.json").write_bytes(b"{}")
    write_manifest(copied, "invented-response")
    with pytest.raises(PromotionRefused, match="another artefact"):
        promote(copied, tmp_path / "m", "invented-response", "1")


def test_pyfunc_answers_a_frame_of_flat_cases(saved):
    import pandas as pd

    frame = pd.DataFrame(
        {"histology": ["LUAD", "SKCM"], "therapy.class": ["pd1_pdl1"] * 2, "tmb.mut_per_mb": [12.0, None]}
    )
    scored = FlatCasesModel(load(saved[0])).predict(frame)
    assert list(scored["status"]) == ["predicted", "abstained"]
    assert list(scored["reasons"]) == ["", "key_inputs_missing"]
    scored = scored[:1]
    gap = scored["base_log_odds"] + scored.filter(like="phi:").sum(axis=1) - scored["log_odds"]
    assert gap.abs().max() < 1e-9


def test_importing_models_pulls_in_none_of_the_heavy_ones(project_root):
    program = (
        "import sys; import models.pyfunc, models.pointer, models.answer, models.response_fit;"
        "print(sorted({'mlflow', 'shap', 'sklearn', 'pandas', 'lightgbm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=project_root, check=True)
    assert done.stdout.strip() == "[]"
