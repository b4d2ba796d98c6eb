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

SEEDED = b"training: {seed: 1}\n"
BYTES_OF = {"U8": 1, "F32": 4}


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


def safetensors(tensors: dict[str, tuple[str, int, int]], data: bytes = b"", metadata: Any = None) -> bytes:
    """Return a safetensors file of vectors: for each its type, its length and where the header says that it lies."""
    header = {
        name: {"dtype": dtype, "shape": [length], "data_offsets": [start, start + length * BYTES_OF[dtype]]}
        for name, (dtype, length, start) in tensors.items()
    }
    text = json.dumps(header if metadata is None else {"__metadata__": metadata, **header}).encode()
    return struct.pack("<Q", len(text)) + text + data


def replace_with_link(folder: Path) -> None:
    """Put a link in the place of a file."""
    (folder / "config.yaml").rename(folder.parent / "elsewhere.yaml")
    (folder / "config.yaml").symlink_to(folder.parent / "elsewhere.yaml")


def link_folder(folder: Path) -> None:
    """Put a link in the place of a folder."""
    (folder / "weights").rename(folder.parent / "elsewhere")
    (folder / "weights").symlink_to(folder.parent / "elsewhere")


def link_manifest(folder: Path) -> None:
    """Put a link in the place of the manifest."""
    (folder / "bundle.json").rename(folder.parent / "manifest")
    (folder / "bundle.json").symlink_to(folder.parent / "manifest")


FOLDERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "an unlisted script": (lambda f: (f / "sitecustomize.py").write_text("raise SystemExit"), "'sitecustomize.py'"),
    "an unlisted hidden file": (lambda f: (f / "weights/.x.pth").write_text("import os"), "'weights/.x.pth'"),
    "a link to a file": (replace_with_link, "'config.yaml' is a symbolic link"),
    "a link to a folder": (link_folder, "'weights' is a symbolic link"),
    "a link for a manifest": (link_manifest, "bundle.json is no regular file"),
    "a pipe": (lambda f: os.mkfifo(f / "weights/pipe"), "'weights/pipe' is neither a file nor a folder"),
    "a missing file": (lambda f: (f / "trial_info.yaml").unlink(), "'trial_info.yaml' is missing"),
    "a listed pickle": (
        lambda f: list_file(f, "model.pkl", pickle.dumps(Payload(f / "canary"))),
        "'model.pkl' is a file that no bundle has",
    ),
    "a listed script": (lambda f: list_file(f, "train.py", b"import os"), "'train.py' is a file that no bundle has"),
    "a file listed twice": (lambda f: edit(f, lambda m: m["files"].append(m["files"][0])), "listed twice"),
}

BYTES: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "a changed byte": ("config.yaml", lambda b: b.replace(b"7", b"8"), "the bytes of config.yaml were changed"),
    "an added byte": ("config.yaml", lambda b: b + b"\n", "config.yaml has"),
    "no JSON": ("bundle.json", lambda _: b"{", "bundle.json is no readable JSON"),
    "nested without end": ("bundle.json", lambda _: b'{"a":' * 100_000, "bundle.json is no readable JSON"),
    "a key twice": ("bundle.json", lambda b: b'{"format": "x", ' + b[1:], "a key comes twice"),
    "without end": ("bundle.json", lambda _: b" " * (5 << 20), "bytes, more than"),
}
"""File, what becomes of its bytes, and words of the refusal."""

MANIFESTS: dict[str, tuple[dict[str, Any], str]] = {
    "a newer format": ({"format_version": 2}, "has format 2, newer than 1"),
    "an entry outside of the project": (
        {"entry": "../../tmp/x.py:main"},
        "no path/to/file.py:function within a project",
    ),
    "an absolute entry": ({"entry": "/x.py:main"}, "no path/to/file.py:function"),
    "an entry that is an expression": ({"entry": "x.py:os.system('id')"}, "no path/to/file.py:function"),
    "an entry that is an installed module": ({"entry": "os:system"}, "no path/to/file.py:function"),
    "a margin without end": ({"margins": {"a": {"r2": "inf"}}}, "the margin of 'r2' of 'a' is inf"),
    "a margin beyond floats": ({"margins": {"a": {"r2": "0x1p1400"}}}, "'0x1p1400' is larger than any float"),
    "a margin of 401 digits": ({"margins": {"a": {"r2": 10**400}}}, "is larger than any float"),
    "a negative margin": ({"margins": {"a": {"r2": -1.0}}}, "is -1.0"),
}
"""What the manifest tells instead, and words of the refusal."""

LISTED: dict[str, tuple[dict[str, Any], str]] = {
    "an absolute path": ({"path": "/etc/passwd"}, "'/etc/passwd' is absolute"),
    "an absolute path of Windows": ({"path": "C:/x"}, "'C:/x' is absolute"),
    "a path that leads out": ({"path": "weights/../../x"}, "leads out of the bundle"),
    "a path with backslashes": ({"path": "weights\\..\\..\\x"}, "leads out of the bundle"),
    "a path with a control character": ({"path": "a\x1b[31m"}, "is none that a bundle has"),
    "a wrong digest": ({"sha256": "0" * 64}, "its sha256 is not the one of bundle.json"),
    "a digest that is none": ({"sha256": "x"}, "the sha256 of"),
    "a negative size": ({"bytes": -1}, "bytes is -1"),
}
"""What the manifest tells of its first file instead, and words of the refusal."""

CONFIGS: dict[str, tuple[bytes, str]] = {
    "a YAML bomb": (BOMB.encode(), "has an anchor or alias"),
    "a YAML tag of Python": (
        b"training: !!python/object/apply:os.mkdir ['CANARY']",
        "has the tag 'tag:yaml.org,2002:python/object/apply:os.mkdir'",
    ),
    "YAML nested without end": (b"a: " + b"[" * 5000 + b"]" * 5000, "is nested deeper than"),
    "YAML of many megabytes": (b"a: " + b"x" * (2 << 20), "bytes, more than"),
    "YAML with a key twice": (b"training: {seed: 1, seed: 2}", "a second time"),
    "YAML that is no text": (b"\xff\xfe\x00", "config.yaml is no readable YAML"),
    "a configuration that builds objects": (
        SEEDED + b"model: {_target_: os.mkdir, path: CANARY}",
        "the key 'model._target_' names code",
    ),
    "a class path": (SEEDED + b"model: {class_path: os.system, init_args: {command: id}}", "names code to run"),
    "a reference to the environment": (SEEDED + b"key: '${oc.env:HOME}'", "holds the reference"),
    "a configuration without a seed": (b"training: {lr: 1}", "None as training.seed"),
    "a seed that is text": (b"training: {seed: __import__}", "as training.seed"),
}

WEIGHTS: dict[str, tuple[bytes, str]] = {
    "a pickle for weights": (b"PICKLE", "best.safetensors is no safetensors file"),
    "a header of an exabyte": (struct.pack("<Q", 1 << 60) + b"{}", "a header of 1152921504606846976 bytes"),
    "tensors that overlap": (
        safetensors({"a": ("U8", 4, 0), "b": ("U8", 4, 2)}, b"123456"),
        "at 2 to 6, not at 4",
    ),
    "a tensor beyond the file": (safetensors({"a": ("F32", 10**12, 0)}), "the header tells of 4000000000000"),
    "weights with metadata": (safetensors({}, metadata={"x": "y"}), "it has metadata"),
    "other weights": (safetensors({"a": ("U8", 1, 0)}, b"1"), "other weights than the manifest names"),
}

SCALERS: dict[str, tuple[bytes, str]] = {
    "a scaler of an unknown class": (b'{"class": "os.system", "state": {}}', "'os.system'"),
    "a scaler with an unknown state": (
        b'{"class": "StandardScaler", "state": {"mean_": {"__reduce__": ["os.system", "id"]}}}',
        "'mean_' of the scaler is not readable",
    ),
}

SCALERS |= {
    f"a scaler {name}": (json.dumps({"class": kind, "state": {"x": state}}).encode(), words)
    for name, kind, state, words in (
        ("whose class is an object", {"a": 1}, 1, "the scaler is {'a': 1}"),
        ("with a number beyond floats", "StandardScaler", {"float": "0x1p1400"}, "'0x1p1400' is larger than any float"),
        ("with an array of objects", "StandardScaler", {"dtype": "O", "shape": [1], "values": [{}]}, "no value of an"),
        ("with an array of another shape", "StandardScaler", {"dtype": "<f8", "shape": [2], "values": [1]}, "shape is"),
        ("with an array of a numbered type", "StandardScaler", {"dtype": 8, "shape": [0], "values": []}, "dtype is 8"),
        ("with a tuple that is none", "StandardScaler", {"tuple": "ab"}, "tuple is 'ab'"),
    )
}

SURROUNDINGS: dict[str, tuple[bytes, str]] = {
    "a million threads": (b"torch: {threads: {intraop: 1000000}}", "intraop is 1000000"),
    "surroundings of another form": (b"torch: [1]", "in environment.yaml, [1] is no object"),
    "a variable with a line in it": (b'variables: {MKL_CBWR: "a\\0b"}', "the variable 'MKL_CBWR' is 'a\\x00b'"),
    "a hash seed that is none": (b"python: {hash_seed: '99999999999'}", "the hash seed is"),
    "a device that is code": (b"device: 'cpu; import os'", "the device is"),
}

FILES: dict[str, dict[str, tuple[bytes, str]]] = {
    "config.yaml": CONFIGS,
    "weights/best.safetensors": WEIGHTS,
    "target_scaler.json": SCALERS,
    "environment.yaml": SURROUNDINGS,
    "data.json": {
        "data outside of the project": (
            b'{"files": {"/etc/shadow": {"sha256": "x", "bytes": 1}}, "arrays": {}}',
            "lies outside of the project",
        ),
        "data without digests": (b'{"files": {"a.csv": {}}, "arrays": {}}', "in data.json, sha256 is missing"),
    },
    "code.json": {
        "code without digests": (b'{"files": {"a.py": 1}}', "in code.json"),
        "NaN where JSON has none": (b'{"files": NaN}', "NaN is no number of JSON"),
        **{
            f"code at {name}": (
                json.dumps({"files": {name: {"sha256": "x", "syntax": "x"}}}).encode(),
                "lies outside of the project",
            )
            for name in ("/etc/x.py", "../x.py", "a/../../x.py", ".git/hooks.py", "a\\\\b.py", "a//b.py", "a/\n.py")
        },
        "code with another text": (
            b'{"files": {"a.py": {"sha256": "x", "syntax": "x", "text": "import os"}}}',
            "the text of 'a.py' is another than its sha256 says",
        ),
        "code with units that are none": (
            b'{"files": {"a.py": {"sha256": "x", "syntax": "x", "units": {"f": 1}}}}',
            "units is",
        ),
    },
    "trial_info.yaml": {
        "a value beyond floats": (b"study: s\nnumber: 1\nparams: {}\nvalue: 0x1p99999", "in trial_info.yaml"),
        "a trial without its value": (b"study: s\nnumber: 1\nparams: {}", "in trial_info.yaml"),
    },
}
"""By the file that is forged: its content, and words of the refusal."""


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
    """Unlisted files, links, missing files, and listed ones that no bundle has are refused by name."""
    change, words = FOLDERS[name]
    change(bundle)
    assert words in refusal(bundle)
    assert not (bundle / "canary").exists()


@pytest.mark.parametrize("name", BYTES)
def test_other_bytes_are_refused(name: str, bundle: Path) -> None:
    """A file with other bytes than the manifest tells is refused, and so is a manifest that cannot be read."""
    path, change, words = BYTES[name]
    (bundle / path).write_bytes(change((bundle / path).read_bytes()))
    assert words in refusal(bundle)


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_wrong_manifest_is_refused(name: str, bundle: Path) -> None:
    """Another format, an entry that is none of the project's functions, and margins that are none."""
    changes, words = MANIFESTS[name]
    edit(bundle, lambda manifest: manifest.update(changes))
    assert words in refusal(bundle)


@pytest.mark.parametrize("name", LISTED)
def test_a_wrong_entry_of_a_file_is_refused(name: str, bundle: Path) -> None:
    """Paths that lead out, wrong digests and sizes."""
    changes, words = LISTED[name]
    edit(bundle, lambda manifest: manifest["files"][0].update(changes))
    assert words in refusal(bundle)


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, cases in FILES.items() for name in cases])
def test_a_forged_file_is_refused_although_its_digest_is_right(
    path: str, name: str, bundle: Path, canary: Path, vouch: Callable[[Path], None]
) -> None:
    """Files with other content than their kind may have are refused, with a manifest that vouches for them."""
    content, words = FILES[path][name]
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
