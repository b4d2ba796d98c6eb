"""Writing a bundle: exact, complete, and never half."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reproof.bundle import Perturbation, Reference, Replicate, open_bundle
from reproof.bundle.replacing import hidden, locked, make_staging, replace_folder
from reproof.bundle.weights import digest_weights, read_weights, write_weights
from reproof.bundle.writer import write_bundle, write_reference
from reproof.errors import BundleError

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.bundle.writer import BundleContents

REFERENCE = Reference(
    margins={"a": {"r2": 0.02, "mse": 0.1}},
    replicates=(Replicate(seed=8, metrics={"a": {"r2": 0.1 + 0.2}}),),
    perturbations=(Perturbation(losses=(0.1, 1e-300), metrics={"a": {"r2": 0.9}}, weight="layer.weight[0]"),),
)

REPLACER = """
import sys, itertools
from pathlib import Path
from reproof.bundle.replacing import locked, make_staging, replace_folder
folder = Path(sys.argv[1])
for number in itertools.count():
    staging = make_staging(folder, str(number))
    for name in range(20):
        (staging / f"{name}.txt").write_text(str(number))
    with locked(folder):
        replace_folder(staging, folder)
    print(number, flush=True)
"""


def test_what_is_written_is_read_to_the_bit(bundle: Path, contents: BundleContents) -> None:
    """Configuration, trial, margins and evidence come back as they were given, floats by their exact bits."""
    found = open_bundle(bundle)
    assert found.trial == contents.trial
    assert found.config == contents.config
    assert found.environment == contents.environment
    assert found.manifest.margins == {"a": {"r2": 0.02}}
    assert found.manifest.entry == "scripts/train.py:train"
    assert found.manifest.weights["best"] == digest_weights(contents.weights["best"])


def test_exact_bits_count_and_not_their_decimal_text(bundle: Path, contents: BundleContents) -> None:
    """`trial_info.yaml` has each float as hexadecimal beside its decimal form."""
    text = (bundle / "trial_info.yaml").read_text()
    assert contents.trial.value.hex() in text
    assert (0.001).hex() in text


def test_equal_weights_are_equal_files(tmp_path: Path, contents: BundleContents) -> None:
    """The order in which tensors are given changes neither the file nor the digest; a name or a bit does."""
    tensors = contents.weights["best"]
    write_weights(tmp_path / "a", tensors)
    write_weights(tmp_path / "b", tensors[::-1])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert tuple(read_weights(tmp_path / "a")) == tuple(sorted(tensors))
    digests = {
        digest_weights(tensors),
        digest_weights(tensors[::-1]),
        digest_weights([tensors[0]._replace(name="other"), tensors[1]]),
        digest_weights([tensors[0]._replace(shape=(4,)), tensors[1]]),
        digest_weights([tensors[0]._replace(data=bytes(16)), tensors[1]]),
    }
    assert len(digests) == 4


def test_weights_are_those_of_the_safetensors_library(tmp_path: Path, contents: BundleContents) -> None:
    """Files of ours are read by the library, and its files by us."""
    library = pytest.importorskip("safetensors.numpy")
    write_weights(tmp_path / "a.safetensors", contents.weights["best"])
    arrays = library.load_file(tmp_path / "a.safetensors")
    assert arrays["layer.weight"].tobytes() == contents.weights["best"][0].data
    library.save_file(arrays, tmp_path / "b.safetensors")
    assert digest_weights(read_weights(tmp_path / "b.safetensors")) == digest_weights(contents.weights["best"])


def test_a_reference_is_added_without_touching_the_rest(bundle: Path) -> None:
    """After the search the bundle gets replicates; every other file stays the same file."""
    before = (bundle / "config.yaml").stat().st_ino
    write_reference(bundle, REFERENCE)
    assert open_bundle(bundle).reference == REFERENCE
    assert (bundle / "config.yaml").stat().st_ino == before
    write_reference(bundle, replace(REFERENCE, replicates=()))
    assert open_bundle(bundle).reference == replace(REFERENCE, replicates=())


def test_margins_cannot_be_changed_afterwards(bundle: Path) -> None:
    """Margins were fixed when the bundle was written: others are refused, and the bundle stays as it was."""
    with pytest.raises(BundleError, match="margins are fixed"):
        write_reference(bundle, replace(REFERENCE, margins={"a": {"r2": 0.5}}))
    assert open_bundle(bundle).reference is None


def test_what_a_reader_would_refuse_is_not_written(tmp_path: Path, contents: BundleContents) -> None:
    """A file that no bundle has stops the writing, not only the reading."""
    (tmp_path / "model.pkl").write_bytes(b"")
    with pytest.raises(BundleError, match=r"model\.pkl"):
        write_bundle(tmp_path, contents)


def test_a_folder_is_replaced_without_exchange_too(
    bundle: Path, contents: BundleContents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On file systems that cannot exchange two names the bundle is replaced by two renames."""
    monkeypatch.setattr("reproof.bundle.replacing._exchange", lambda *_: False)
    staging = make_staging(bundle, "9")
    write_bundle(staging, replace(contents, trial=replace(contents.trial, number=9)))
    with locked(bundle):
        replace_folder(staging, bundle)
    assert open_bundle(bundle).trial.number == 9
    assert not hidden(bundle, "previous").exists()


def test_a_crash_between_two_renames_is_mended(bundle: Path) -> None:
    """The bundle that waited under its hidden name is put back by the next process that comes."""
    bundle.rename(hidden(bundle, "previous"))
    with locked(bundle):
        pass
    assert open_bundle(bundle).trial.number == 3


def test_what_dead_processes_left_is_removed(bundle: Path) -> None:
    """A killed search leaves a half-made candidate; the next one removes it, and none of a living process."""
    own = make_staging(bundle, "1")
    dead = own.with_name(own.name.replace(str(os.getpid()), "99999999"))
    dead.mkdir()
    make_staging(bundle, "2")
    assert not dead.exists()
    assert own.exists()


def test_a_process_killed_at_any_moment_leaves_a_whole_folder(tmp_path: Path, environment: dict[str, str]) -> None:
    """Of a folder that is replaced over and over, a kill leaves all files of one version, never of two."""
    folder = tmp_path / "best"
    for delay in (0.0, 0.013, 0.021, 0.034, 0.055):
        process = subprocess.Popen(
            [sys.executable, "-c", REPLACER, str(folder)], stdout=subprocess.PIPE, env=environment
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.kill()
        process.wait()
        process.stdout.close()
        contents = [path.read_text() for path in folder.iterdir()]
        assert len(contents) == 20
        assert len(set(contents)) == 1


def test_reading_a_bundle_needs_no_pytorch(bundle: Path, environment: dict[str, str]) -> None:
    """A bundle is verified and read where neither PyTorch nor numpy is loaded."""
    code = (
        "import sys; from reproof.bundle import open_bundle; open_bundle(sys.argv[1]); "
        "print(sorted({'torch', 'numpy', 'optuna', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(bundle)], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "[]"


def test_the_manifest_is_the_same_text_for_the_same_content(bundle: Path) -> None:
    """It is sorted and has no byte that depends on the writer's machine."""
    manifest = json.loads((bundle / "bundle.json").read_text())
    paths = [entry["path"] for entry in manifest["files"]]
    assert paths == sorted(paths)
    assert list(manifest) == sorted(manifest)
