"""Bundles that are damaged or made to harm are refused in one line, and nothing in them is executed."""

from __future__ import annotations

import json
import os
import pickle
import struct
from typing import TYPE_CHECKING, Any

import pytest

from reproof.bundle import open_bundle
from reproof.bundle.manifest import digest_file
from reproof.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


class Payload:
    """An object whose pickle creates a file when it is loaded."""

    def __init__(self, canary: Path) -> None:
        """Name the file."""
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        """Have a function called by whoever unpickles it."""
        return os.mkdir, (str(self.canary),)


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest."""
    path = folder / "bundle.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def list_file(folder: Path, path: str, content: bytes) -> None:
    """Add a file that the manifest lists as it is."""
    target = folder / path
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(content)
    entry = {"path": path, "bytes": len(content), "sha256": digest_file(target)}
    edit(folder, lambda manifest: manifest["files"].append(entry))


def rename(folder: Path, path: str) -> None:
    """Have the manifest list a file under another path."""
    edit(folder, lambda manifest: manifest["files"][0].update(path=path))


def safetensors(header: bytes, data: bytes = b"") -> bytes:
    """Return a safetensors file with this header."""
    return struct.pack("<Q", len(header)) + header + data


def replace_with_link(folder: Path) -> None:
    """Put a link in the place of a file."""
    (folder / "config.yaml").rename(folder.parent / "elsewhere.yaml")
    (folder / "config.yaml").symlink_to(folder.parent / "elsewhere.yaml")


def link_folder(folder: Path) -> None:
    """Put a link in the place of a folder."""
    (folder / "weights").rename(folder.parent / "elsewhere")
    (folder / "weights").symlink_to(folder.parent / "elsewhere")


FOLDERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "an unlisted script": (lambda f: (f / "sitecustomize.py").write_text("raise SystemExit"), "'sitecustomize.py'"),
    "an unlisted hidden file": (lambda f: (f / "weights/.x.pth").write_text("import os"), "'weights/.x.pth'"),
    "a link to a file": (replace_with_link, "'config.yaml' is a symbolic link"),
    "a link to a folder": (link_folder, "'weights' is a symbolic link"),
    "a link for a manifest": (
        lambda f: ((f / "bundle.json").rename(f.parent / "m"), (f / "bundle.json").symlink_to(f.parent / "m")),
        "bundle.json is no regular file",
    ),
    "a pipe": (lambda f: os.mkfifo(f / "weights/pipe"), "'weights/pipe' is neither a file nor a folder"),
    "a missing file": (lambda f: (f / "trial_info.yaml").unlink(), "'trial_info.yaml' is missing"),
    "a changed byte": (
        lambda f: (f / "config.yaml").write_text((f / "config.yaml").read_text().replace("7", "8")),
        "the bytes of config.yaml were changed",
    ),
    "an added byte": (
        lambda f: (f / "config.yaml").write_bytes((f / "config.yaml").read_bytes() + b"\n"),
        "config.yaml has",
    ),
    "a manifest that is no JSON": (lambda f: (f / "bundle.json").write_text("{"), "bundle.json is no readable JSON"),
    "a manifest nested without end": (
        lambda f: (f / "bundle.json").write_text('{"a":' * 100_000),
        "bundle.json is no readable JSON",
    ),
    "a key twice": (
        lambda f: (f / "bundle.json").write_text('{"format": "x", ' + (f / "bundle.json").read_text()[1:]),
        "a key comes twice",
    ),
    "a manifest without end": (
        lambda f: (f / "bundle.json").write_bytes(b" " * (5 << 20)),
        "bytes, more than",
    ),
    "a newer format": (lambda f: edit(f, lambda m: m.update(format_version=2)), "has format 2, newer than 1"),
    "an absolute path": (lambda f: rename(f, "/etc/passwd"), "'/etc/passwd' is absolute"),
    "an absolute path of Windows": (lambda f: rename(f, "C:/x"), "'C:/x' is absolute"),
    "a path that leads out": (lambda f: rename(f, "weights/../../x"), "leads out of the bundle"),
    "a path with backslashes": (lambda f: rename(f, "weights\\..\\..\\x"), "leads out of the bundle"),
    "a path with a control character": (lambda f: rename(f, "a\x1b[31m"), "is none that a bundle has"),
    "a listed pickle": (
        lambda f: list_file(f, "model.pkl", pickle.dumps(Payload(f / "canary"))),
        "'model.pkl' is a file that no bundle has",
    ),
    "a listed script": (lambda f: list_file(f, "train.py", b"import os"), "'train.py' is a file that no bundle has"),
    "a file listed twice": (lambda f: edit(f, lambda m: m["files"].append(m["files"][0])), "listed twice"),
    "a wrong digest": (
        lambda f: edit(f, lambda m: m["files"][0].update(sha256="0" * 64)),
        "its sha256 is not the one of bundle.json",
    ),
    "a digest that is none": (lambda f: edit(f, lambda m: m["files"][0].update(sha256="x")), "the sha256 of"),
    "a negative size": (lambda f: edit(f, lambda m: m["files"][0].update(bytes=-1)), "bytes is -1"),
    "an entry outside of the project": (
        lambda f: edit(f, lambda m: m.update(entry="../../tmp/x.py:main")),
        "no path/to/file.py:function within a project",
    ),
    "a margin without end": (
        lambda f: edit(f, lambda m: m.update(margins={"a": {"r2": "inf"}})),
        "the margin of 'r2' of 'a' is inf",
    ),
    "a negative margin": (lambda f: edit(f, lambda m: m.update(margins={"a": {"r2": -1.0}})), "is -1.0"),
    "an absolute entry": (lambda f: edit(f, lambda m: m.update(entry="/x.py:main")), "no path/to/file.py:function"),
    "an entry that is an expression": (
        lambda f: edit(f, lambda m: m.update(entry="x.py:os.system('id')")),
        "no path/to/file.py:function",
    ),
    "an entry that is an installed module": (
        lambda f: edit(f, lambda m: m.update(entry="os:system")),
        "no path/to/file.py:function",
    ),
}

FILES: dict[str, tuple[str, bytes, str]] = {
    "a YAML bomb": ("config.yaml", BOMB.encode(), "has an anchor or alias"),
    "a YAML tag of Python": (
        "config.yaml",
        b"training: !!python/object/apply:os.mkdir ['CANARY']",
        "has the tag 'tag:yaml.org,2002:python/object/apply:os.mkdir'",
    ),
    "YAML nested without end": ("config.yaml", b"a: " + b"[" * 5000 + b"]" * 5000, "is nested deeper than"),
    "YAML of many megabytes": ("config.yaml", b"a: " + b"x" * (2 << 20), "bytes, more than"),
    "YAML with a key twice": ("config.yaml", b"training: {seed: 1, seed: 2}", "a second time"),
    "YAML that is no text": ("config.yaml", b"\xff\xfe\x00", "config.yaml is no readable YAML"),
    "a configuration that builds objects": (
        "config.yaml",
        b"training: {seed: 1}\nmodel: {_target_: os.mkdir, path: CANARY}",
        "the key 'model._target_' names code",
    ),
    "a class path": (
        "config.yaml",
        b"training: {seed: 1}\nmodel: {class_path: os.system, init_args: {command: id}}",
        "names code to run",
    ),
    "a reference to the environment": (
        "config.yaml",
        b"training: {seed: 1}\nkey: '${oc.env:HOME}'",
        "holds the reference",
    ),
    "a configuration without a seed": ("config.yaml", b"training: {lr: 1}", "None as training.seed"),
    "a seed that is text": ("config.yaml", b"training: {seed: __import__}", "as training.seed"),
    "a pickle for weights": ("weights/best.safetensors", b"PICKLE", "best.safetensors is no safetensors file"),
    "a header of an exabyte": (
        "weights/best.safetensors",
        struct.pack("<Q", 1 << 60) + b"{}",
        "a header of 1152921504606846976 bytes",
    ),
    "tensors that overlap": (
        "weights/best.safetensors",
        safetensors(
            b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}',
            b"123456",
        ),
        "lies at 2, not at 4",
    ),
    "a tensor beyond the file": (
        "weights/best.safetensors",
        safetensors(b'{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}'),
        "the header tells of 4000000000000",
    ),
    "weights with metadata": (
        "weights/best.safetensors",
        safetensors(b'{"__metadata__":{"x":"y"}}'),
        "it has metadata",
    ),
    "other weights": (
        "weights/best.safetensors",
        safetensors(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"1"),
        "other weights than the manifest names",
    ),
    "a scaler of an unknown class": ("target_scaler.json", b'{"class": "os.system", "state": {}}', "'os.system'"),
    "a scaler with an unknown state": (
        "target_scaler.json",
        b'{"class": "StandardScaler", "state": {"mean_": {"__reduce__": ["os.system", "id"]}}}',
        "'mean_' of the scaler is not readable",
    ),
    "data outside of the project": (
        "data.json",
        b'{"files": {"/etc/shadow": {"sha256": "x", "bytes": 1}}, "arrays": {}}',
        "lies outside of the project",
    ),
    "data without digests": ("data.json", b'{"files": {"a.csv": {}}, "arrays": {}}', "in data.json, sha256 is missing"),
    "code without digests": ("code.json", b'{"files": {"a.py": 1}}', "in code.json"),
    "a million threads": ("environment.yaml", b"torch: {threads: {intraop: 1000000}}", "intraop is 1000000"),
    "surroundings of another form": ("environment.yaml", b"torch: [1]", "in environment.yaml, [1] is no object"),
    "a variable with a line in it": (
        "environment.yaml",
        b'variables: {MKL_CBWR: "a\\0b"}',
        "the variable 'MKL_CBWR' is 'a\\x00b'",
    ),
    "a hash seed that is none": ("environment.yaml", b"python: {hash_seed: '99999999999'}", "the hash seed is"),
    "a device that is code": ("environment.yaml", b"device: 'cpu; import os'", "the device is"),
    "NaN where JSON has none": ("code.json", b'{"files": NaN}', "NaN is no number of JSON"),
    "a trial without its value": ("trial_info.yaml", b"study: s\nnumber: 1\nparams: {}", "in trial_info.yaml"),
}


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """Return a path at which something appears only if a payload is executed."""
    return tmp_path / "canary"


def refusal(folder: Path) -> str:
    """Return the line by which a bundle is refused."""
    with pytest.raises(BundleError) as caught:
        open_bundle(folder)
    line = str(caught.value)
    assert line.isprintable(), line
    assert len(line) < 500, line
    return line


def test_a_bundle_in_order_is_opened(bundle: Path) -> None:
    """What the tests below spoil is read without a complaint while it is whole."""
    found = open_bundle(bundle)
    assert (found.trial.number, found.seed, found.config["training"]["lr"]) == (3, 7, 1e-3)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_is_not_what_it_says_is_refused(name: str, bundle: Path) -> None:
    """Unlisted files, links, paths that lead out, changed bytes and wrong manifests are refused by name."""
    change, words = FOLDERS[name]
    change(bundle)
    assert words in refusal(bundle)
    assert not (bundle / "canary").exists()


@pytest.mark.parametrize("name", FILES)
def test_a_forged_file_is_refused_although_its_digest_is_right(
    name: str, bundle: Path, canary: Path, vouch: Callable[[Path], None]
) -> None:
    """Files with other content than their kind may have are refused, with a manifest that vouches for them."""
    path, content, words = FILES[name]
    content = pickle.dumps(Payload(canary)) if content == b"PICKLE" else content
    (bundle / path).write_bytes(content.replace(b"CANARY", str(canary).encode()))
    vouch(bundle)
    assert words in refusal(bundle)
    assert not canary.exists()


def test_a_pickled_scaler_is_carried_and_never_loaded(bundle: Path, canary: Path) -> None:
    """The joblib file is for other programs: with any pickle in it the bundle opens, and nothing runs."""
    list_file(bundle, "target_scaler.joblib", pickle.dumps(Payload(canary)))
    found = open_bundle(bundle)
    assert found.scaler is not None
    assert found.scaler["class"] == "StandardScaler"
    assert not canary.exists()


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    """The error says how a folder of others is brought in."""
    with pytest.raises(BundleError, match="reproof bundle import"):
        open_bundle(tmp_path)


def test_a_file_changed_between_check_and_use_is_refused(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is parsed has the digest of the manifest, however the file changes after the folder was checked."""
    from reproof.bundle import reader

    verify = reader.verify_folder

    def verify_and_change(folder: Path) -> Any:
        manifest = verify(folder)
        (folder / "config.yaml").write_text("training: {seed: 8, lr: 0.001}\n")
        return manifest

    monkeypatch.setattr(reader, "verify_folder", verify_and_change)
    assert "config.yaml was changed while it was read" in refusal(bundle)
