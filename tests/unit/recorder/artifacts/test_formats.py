"""What an artifact holds: tensors by their names, other files by their bytes, and nothing of it executed."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import xxhash
from torch.overrides import TorchFunctionMode

import reproof
from reproof import digest as digests
from reproof.recorder.artifacts import formats
from reproof.recorder.artifacts.safetensors_format import MAX_HEADER_BYTES, read_safetensors
from reproof.recorder.evidence import EvidenceRecorder

if TYPE_CHECKING:
    from tests.unit.recorder.conftest import CollectedFrames

    from reproof.schema import Comparison

T = torch.arange(6.0).reshape(2, 3)
STATE = {"layer.weight": T, "layer.bias": -T[0], "steps": torch.tensor(3)}

Contents = dict[str, bytes]
"""Digests by the names of their events."""

Read = Callable[[str], tuple[Contents, dict[str, str]]]
"""Returns the digests that were taken, and the reasons for what was skipped."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def read(collect_frames: Callable[[], CollectedFrames]) -> Read:
    """Return what reads the files that match a pattern, as artifacts are read when a recording ends."""

    def read_files(pattern: str) -> tuple[Contents, dict[str, str]]:
        frames = collect_frames()
        with formats.undisturbed():
            for path in sorted(Path().glob(pattern)):
                formats.record_file(EvidenceRecorder(frames), path.name, path)
        assert all(event.stage == "metric" for event, _ in frames.digests)
        taken = {event.name: digest for event, digest in frames.digests if not event.skipped}
        skipped = {event.name: event.skipped for event, _ in frames.digests if event.skipped}
        assert len(taken) + len(skipped) == len(frames.digests)
        return taken, skipped

    return read_files


def record_files(*patterns: str, run: str | Path = "run", **options: Any) -> Path:
    """Record the artifacts that match."""
    with reproof.record(run, artifacts=patterns, **options):
        pass
    return Path(run)


def digest_of(name: str, value: torch.Tensor | np.ndarray) -> Contents:
    """Return the content of one tensor."""
    return {name: digests.digest_tensor(value) if isinstance(value, torch.Tensor) else digests.digest_array(value)}


def save_twice(save: Callable[[str], None], suffix: str) -> tuple[bytes, bytes]:
    """Have a file saved in two folders, at two times; return the bytes."""
    for name in ("one", "two"):
        Path(name).mkdir()
        save(f"{name}/{name}{suffix}")  # PyTorch writes the name of the file into it
        os.rename(f"{name}/{name}{suffix}", f"{name}/model{suffix}")  # noqa: PTH104
    first, second = (Path(name, f"model{suffix}").read_bytes() for name in ("one", "two"))
    return first, second


def compare_folders() -> Comparison:
    """Record the folders that `save_twice` has filled, each as a run of its own, and compare the two."""
    runs = []
    for name in ("one", "two"):
        runs.append(Path.cwd() / f"run-{name}")
        os.chdir(name)
        record_files("model*", run=runs[-1])
        os.chdir("..")
    return reproof.compare(*runs)


def test_two_saves_of_one_state_dict_are_equal() -> None:
    """The bytes of the archives differ, what they hold does not."""
    first, second = save_twice(lambda path: torch.save({"model": STATE, "lr": 0.1}, path), ".pt")
    assert first != second
    comparison = compare_folders()
    assert (comparison.verdict, comparison.num_events, comparison.num_tensors) == ("identical", 4, 3)


def test_two_saves_of_one_npz_are_equal() -> None:
    """An archive keeps the time at which it was made."""

    def save(path: str) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            date = time.gmtime(1e9 if path.startswith("one") else 1.5e9)[:6]
            archive.writestr(zipfile.ZipInfo("x.npy", date), Path("x.npy").read_bytes())

    np.save("x.npy", T.numpy())
    first, second = save_twice(save, ".npz")
    assert first != second
    assert compare_folders().verdict == "identical"


def test_a_changed_weight_is_found_by_name() -> None:
    """One bit of one weight, in a checkpoint that is otherwise the same."""
    for name in ("one", "two"):
        Path(name).mkdir()
        state = {key: value.clone() for key, value in STATE.items()}
        if name == "two":
            state["layer.weight"][1, 2] = torch.nextafter(T[1, 2], T.max() + 1)
        torch.save({"epoch": 3, "model": state}, f"{name}/model.ckpt")
    comparison = compare_folders()
    assert comparison.first is not None
    assert (comparison.first.stage, comparison.first.num_differing, comparison.first.max_ulp) == ("metric", 1, 1)
    assert comparison.first.name == "artifact model.ckpt['model']['layer.weight']"
    assert sum(count.differing for count in comparison.counts) == 1


def test_another_order_of_keys_is_noticed() -> None:
    """It is no divergence, since each tensor is the same, and the runs are not called identical."""
    for name, keys in (("one", list(STATE)), ("two", list(STATE)[::-1])):
        Path(name).mkdir()
        torch.save({key: STATE[key] for key in keys}, f"{name}/model.pt")
    comparison = compare_folders()
    assert (comparison.verdict, comparison.first) == ("inconclusive", None)
    assert "in another order" in " ".join(comparison.structure)


@pytest.mark.parametrize("name", ["x.pt", "x.pth", "x.ckpt", "x.bin", "X.PT"])
def test_files_of_pytorch(read: Read, name: str) -> None:
    """Tensors by their names, numbers and other plain values beside them, in any nesting."""
    torch.save({"a": [T, {"b": T.int()}], "lr": 0.5, "dtype": torch.float16, "p": torch.nn.Parameter(-T)}, name)
    taken, skipped = read("[xX].*")
    assert skipped == {}
    assert taken == {
        **digest_of(f"{name}['a'][0]", T),
        **digest_of(f"{name}['a'][1]['b']", T.int()),
        f"{name}['lr']": digests.digest_plain(0.5),
        f"{name}['dtype']": digests.digest_plain("torch.float16"),
        **digest_of(f"{name}['p']", -T),
    }


def test_files_of_old_versions_of_pytorch(read: Read) -> None:
    """They are bare pickles and no archives."""
    torch.save({"a": T}, "x.pt", _use_new_zipfile_serialization=False)
    assert read("x.pt") == (digest_of("x.pt['a']", T), {})


def test_a_module_and_an_optimizer_come_whole(read: Read) -> None:
    """A state dict of each, as examples of PyTorch save them."""
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "x.pt")
    taken, skipped = read("x.pt")
    assert skipped == {}
    assert {"x.pt['model']['weight']", "x.pt['optimizer']['state'][0]['exp_avg']"} < set(taken)
    assert "x.pt['optimizer']['param_groups'][0]['lr']" in taken


def test_files_of_numpy(read: Read) -> None:
    """One array, or several by their names, of any type that has a content."""
    arrays = {"x": T.numpy(), "names": np.array(["a", "bc"]), "table": np.array([(1, 2.0)], dtype="i4,f8")}
    np.save("one.npy", np.asfortranarray(arrays["x"]))
    np.savez("several.npz", **arrays)
    np.savez_compressed("small.npz", *arrays.values())
    assert read("one.npy") == (digest_of("one.npy", arrays["x"]), {})
    taken, _ = read("several.npz")
    assert list(taken.values()) == [digests.digest_array(array) for array in arrays.values()]
    assert list(taken) == [f"several.npz[{key!r}]" for key in arrays]
    assert list(read("small.npz")[0].values()) == list(taken.values())


def pack_safetensors(header: Any, data: bytes = b"") -> bytes:
    """Return the bytes of a safetensors file, made by hand."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: str, shape: list[Any], start: int, stop: int) -> dict[str, Any]:
    """Return what a header tells of one tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def test_files_of_safetensors_made_by_hand(read: Read) -> None:
    """Tensors and metadata are in the order of their names, whatever the order in the file."""
    data = struct.pack("<3h6f", -1, 0, 1, *T.flatten().tolist())
    header = {
        "w": entry("F32", [2, 3], 6, 30),
        "__metadata__": {"step": "3", "format": "pt"},
        "none": entry("BF16", [0, 2], 6, 6),
        "b": entry("I16", [3], 0, 6),
    }
    Path("x.safetensors").write_bytes(pack_safetensors(header, data))
    taken, skipped = read("x.safetensors")
    assert skipped == {}
    assert list(taken) == [
        f"x.safetensors{key}"
        for key in ("['__metadata__']['format']", "['__metadata__']['step']", "['b']", "['none']", "['w']")
    ]
    assert taken["x.safetensors['w']"] == digests.digest_tensor(T)
    assert taken["x.safetensors['b']"] == digests.digest_tensor(torch.tensor([-1, 0, 1], dtype=torch.int16))
    assert taken["x.safetensors['none']"] == digests.digest_tensor(torch.empty(0, 2, dtype=torch.bfloat16))


def test_files_of_the_safetensors_library(read: Read) -> None:
    """Each element type that its library writes comes back with the same bits."""
    library = pytest.importorskip("safetensors.torch")
    dtypes = [torch.bool, torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float64, torch.complex64]
    dtypes += [torch.float8_e4m3fn, torch.float8_e5m2, torch.uint32]
    tensors = {str(dtype): T.to(dtype) for dtype in dtypes}
    library.save_file(tensors, "x.safetensors", metadata={"a": "b"})
    taken, skipped = read("x.safetensors")
    assert skipped == {}
    expected = {f"x.safetensors[{name!r}]": digests.digest_tensor(tensor) for name, tensor in tensors.items()}
    assert {**expected, "x.safetensors['__metadata__']['a']": digests.digest_plain("b")} == taken


W = entry("F32", [1], 0, 4)
DAMAGED_SAFETENSORS = {
    "empty": (b"", "a header of 0 bytes in a file of 0"),
    "a short size": (b"\1\0\0", "a file of 3"),
    "a header beyond the file": (struct.pack("<Q", 2**63), "a header of 9223372036854775808 bytes"),
    "a header beyond the limit": (struct.pack("<Q", MAX_HEADER_BYTES + 1), "a header of 100000001 bytes"),
    "no JSON": (pack_safetensors(b"{"), "its header is no JSON"),
    "no text": (pack_safetensors(b"\xff\xff"), "its header is no JSON"),
    "nested without end": (pack_safetensors(b"[" * 100_000), "its header is no JSON"),
    "a number without end": (pack_safetensors(b'{"w": ' + b"1" * 5000 + b"}"), "its header is no JSON"),
    "no object": (pack_safetensors([]), "its header is no object"),
    "a key twice": (pack_safetensors(b'{"w": 1, "w": 2}'), "a key comes twice"),
    "metadata of numbers": (pack_safetensors({"__metadata__": {"a": 1}}), "__metadata__ is not made of strings"),
    "metadata of nothing": (pack_safetensors({"__metadata__": None}), "__metadata__ is not made of strings"),
    "no offsets": (pack_safetensors({"w": {"dtype": "F32", "shape": [1]}}), "does not tell where 'w' lies"),
    "no entry": (pack_safetensors({"w": 3}), "does not tell where 'w' lies"),
    "a negative size": (pack_safetensors({"w": entry("F32", [-1], 0, 4)}, b"1234"), "does not tell what 'w' is"),
    "a size in words": (pack_safetensors({"w": entry("F32", ["1"], 0, 4)}, b"1234"), "does not tell what 'w' is"),
    "cut off": (pack_safetensors({"w": W}, b"123"), "3 bytes of tensors, and the header tells of 4"),
    "more than is told": (pack_safetensors({"w": W}, b"12345"), "5 bytes of tensors, and the header tells of 4"),
    "a gap": (pack_safetensors({"w": entry("F32", [1], 1, 5)}, b"12345"), "'w' lies at 1 to 5, not at 0"),
    "an overlap": (pack_safetensors({"v": W, "w": entry("F32", [1], 2, 6)}, b"123456"), "'w' lies at 2 to 6, not at 4"),
    "backwards": (pack_safetensors({"w": entry("F32", [1], 0, -4)}), "does not tell what 'w' is"),
    "another shape": (pack_safetensors({"w": entry("F32", [2], 0, 4)}, b"1234"), "4 bytes for F32 of shape [2]"),
    "a huge shape": (pack_safetensors({"w": entry("F32", [2**62], 0, 4)}, b"1234"), "4 bytes for F32 of shape"),
    "an unknown type": (pack_safetensors({"w": entry("F5", [1], 0, 4)}, b"1234"), "has no elements of type F5"),
}


@pytest.mark.parametrize(("content", "why"), DAMAGED_SAFETENSORS.values(), ids=DAMAGED_SAFETENSORS.keys())
def test_damaged_safetensors_are_told(read: Read, content: bytes, why: str) -> None:
    """Every size is checked before anything is read by it, and every byte must belong to a tensor."""
    Path("x.safetensors").write_bytes(content)
    taken, skipped = read("x.safetensors")
    assert taken == {}
    assert why in "".join(skipped.values())


def test_a_header_beyond_the_limit_is_not_read() -> None:
    """A file may be large enough to hold it."""
    size = MAX_HEADER_BYTES + 1
    with Path("x.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", size))
        file.truncate(size + 8)
    with pytest.raises(digests.CannotDigestError, match=f"a header of {size} bytes"):
        list(read_safetensors(Path("x.safetensors")))


class Hostile:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Call a function of the operating system."""
        return os.system, ("touch executed",)


HOSTILE: dict[str, Callable[[Path], Any]] = {
    "archive.pt": lambda path: torch.save({"w": T, "x": Hostile()}, path),
    "old.pth": lambda path: torch.save(Hostile(), path, _use_new_zipfile_serialization=False),
    "pickle.pt": lambda path: path.write_bytes(pickle.dumps(Hostile())),
    "pickle.ckpt": lambda path: path.write_bytes(pickle.dumps(Hostile(), protocol=2)),
    "objects.npy": lambda path: np.save(path, np.array([Hostile()], dtype=object)),
    "objects.npz": lambda path: np.savez(path, x=np.array([Hostile()], dtype=object)),
    "pickle.npy": lambda path: path.write_bytes(pickle.dumps(Hostile())),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_in_an_artifact_is_executed(read: Read, name: str, folder: Path) -> None:
    """What could execute something is skipped with the reason, and is not executed."""
    HOSTILE[name](folder / name)
    taken, skipped = read(name)
    assert (taken, len(skipped)) == ({}, 1)
    assert not (folder / "executed").exists()
    with pytest.raises(AssertionError, match="executed"):  # the files are as hostile as they claim
        execute(folder / name)


def execute(path: Path) -> None:
    """Read a file as carelessly as possible, and check that nothing was executed by that."""
    if path.suffix.startswith(".np"):
        loaded = np.load(path, allow_pickle=True)
        dict(loaded) if path.suffix == ".npz" else None
    elif path.name.startswith("pickle"):
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert not Path("executed").exists()


def damage(path: Path, cut: int) -> None:
    """Cut off the end of a file."""
    path.write_bytes(path.read_bytes()[:-cut])


UNREADABLE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "object.pt": (
        lambda path: torch.save({"args": argparse.Namespace(lr=1)}, path),
        "it holds code or an object (argparse.Namespace), which is not unpickled: save tensors and plain values alone",
    ),
    "pickle.pt": (lambda path: path.write_bytes(pickle.dumps({"a": 1}, protocol=4)), "it is a pickle beyond"),
    "empty.pt": (Path.touch, "it was not written by torch.save"),
    "text.pth": (lambda path: path.write_text("weights"), "it was not written by torch.save"),
    "cut.pt": (lambda path: (torch.save(STATE, path), damage(path, 200)), "RuntimeError: PytorchStreamReader failed"),
    "old.pt": (
        lambda path: (torch.save(STATE, path, _use_new_zipfile_serialization=False), damage(path, 6)),
        "RuntimeError: unexpected EOF, expected 6 more bytes",
    ),
    "cut.npy": (lambda path: (np.save(path, T.numpy()), damage(path, 5)), "ValueError: "),
    "empty.npy": (Path.touch, "EOFError: No data left in file"),
    "cut.npz": (lambda path: (np.savez(path, x=T.numpy()), damage(path, 30)), "BadZipFile: File is not a zip file"),
    "text.npz": (lambda path: path.write_text("arrays"), "ValueError: "),
}  # fmt: skip


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_read_is_skipped_with_the_reason(read: Read, name: str, folder: Path) -> None:
    """The reason is one line, short enough to be read."""
    make, why = UNREADABLE[name]
    make(folder / name)
    taken, skipped = read(name)
    assert (taken, list(skipped)) == ({}, [name])
    assert skipped[name].startswith(why) or why in skipped[name]
    assert len(skipped[name]) < 160
    assert "\n" not in skipped[name]


def test_runs_with_an_unreadable_artifact_are_not_identical() -> None:
    """It may hold anything: the verdict names it."""
    Path("x.pt").touch()
    runs = [record_files("x.pt", run=name) for name in ("one", "two")]
    comparison = reproof.compare(*runs)
    assert (comparison.verdict, comparison.first) == ("inconclusive", None)
    assert ("artifact x.pt", "it was not written by torch.save") in [(s.what, s.why) for s in comparison.skipped]


def test_torchscript_is_skipped(read: Read, folder: Path) -> None:
    """It is a program, and no state dict."""
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), folder / "x.pt")
    taken, skipped = read("x.pt")
    assert taken == {}
    assert "TorchScript" in skipped["x.pt"]


def test_sound_arrays_beside_an_unreadable_one_are_compared(read: Read) -> None:
    """In an archive each array is read by itself."""
    np.savez("x.npz", a=T.numpy(), b=np.array([{}], dtype=object), c=-T.numpy())
    taken, skipped = read("x.npz")
    assert taken == {**digest_of("x.npz['a']", T), **digest_of("x.npz['c']", -T)}
    assert list(skipped) == ["x.npz['b']"]
    assert "allow_pickle=False" in skipped["x.npz['b']"]


@pytest.mark.parametrize("name", ["log.csv", "weights.bin", "tf.ckpt", "archive.zip", "noname", "empty.txt"])
def test_other_files_are_their_bytes(read: Read, name: str) -> None:
    """Of any length, and whether or not their name is also PyTorch's."""
    content = b"" if name == "empty.txt" else os.urandom(3 * formats.CHUNK_BYTES // 2)
    Path(name).write_bytes(b"\0" + content if content else content)
    seed = xxhash.xxh3_64_intdigest(b"file|")
    expected = xxhash.xxh3_128_digest(Path(name).read_bytes(), seed)
    assert read(name) == ({name: expected}, {})


def test_a_changed_line_of_a_table_is_found() -> None:
    """A file of text has no parts: it differs as a whole."""
    for name, last in (("one", "0.5"), ("two", "0.25")):
        Path(name).mkdir()
        Path(name, "model.csv").write_text(f"epoch,loss\n0,1.0\n1,{last}\n", encoding="utf-8")
    comparison = compare_folders()
    assert (comparison.verdict, comparison.first.name) == ("diverged", "artifact model.csv")


def test_a_large_file_takes_little_memory() -> None:
    """It is read piece by piece."""
    with Path("large.dat").open("wb") as file:
        file.truncate(64 << 20)
    tracemalloc.start()
    try:
        formats.digest_file(Path("large.dat"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_large_archives_are_mapped_and_read_the_same(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beyond the limit has the digests that it has below; archives of old versions are read as ever."""
    torch.save(STATE, "x.pt")
    torch.save(STATE, "old.pt", _use_new_zipfile_serialization=False)
    np.save("x.npy", T.numpy())
    np.savez("x.npz", a=T.numpy())
    small = read("*.*")
    assert len(small[0]) == 8
    monkeypatch.setattr(formats, "MAX_IN_MEMORY_BYTES", 0)
    assert read("*.*") == small


def test_what_the_script_has_set_does_not_reach_the_reading(read: Read) -> None:
    """A default device, a mode of inference, functions that watch PyTorch: none of them changes or sees anything."""
    torch.save(STATE, "x.pt")
    torch.save(STATE, "old.pt", _use_new_zipfile_serialization=False)
    Path("x.safetensors").write_bytes(pack_safetensors({"w": W, "none": entry("F32", [0], 4, 4)}, b"1234"))
    expected = read("*.*")
    assert expected[1] == {}
    with torch.device("meta"), torch.inference_mode(), Watching() as mode:
        assert read("*.*") == expected
    assert mode.seen == []


class Watching(TorchFunctionMode):
    """Notes each function of PyTorch that is called.

    Attributes:
        seen: Their names.
    """

    def __init__(self) -> None:
        """Note nothing yet."""
        super().__init__()
        self.seen: list[str] = []

    def __torch_function__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function and note its name."""
        self.seen.append(func.__name__)
        return func(*args, **(kwargs or {}))


def test_a_replaced_torch_load_is_not_called(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts replace it by one that unpickles anything: before us it is refused, after us it makes no difference."""
    torch.save(STATE, "x.pt")
    expected = read("x.pt")

    def load_anything(*_: Any, **__: Any) -> None:
        raise AssertionError("called")

    monkeypatch.setattr(torch, "load", load_anything)
    assert read("x.pt") == expected
    monkeypatch.setattr(formats, "load", load_anything)
    assert read("x.pt") == ({}, {"x.pt": "the script has replaced torch.load, which reads it"})


def test_tensors_are_compared_within_a_tolerance() -> None:
    """With statistics, artifacts that differ a little can be equivalent."""
    tensor = torch.linspace(0, 1, 1000)
    for run, offset in (("a", 0.0), ("b", 1e-7)):
        torch.save({"w": tensor + offset}, "x.pt")
        record_files("x.pt", run=run, statistics=True)
    assert reproof.compare("a", "b").verdict == "diverged"
    assert reproof.compare("a", "b", tolerance=1e-3).verdict == "equivalent"
