"""The example of gradient analysis: its signals, its training, and its batch-consistency check as a user meets it."""

from __future__ import annotations

import importlib
import io
import os
import subprocess
import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest
import torch

import reproof
from reproof.legacy.records import read_legacy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "gradient_analysis"
MATERIALS = ("aluminium", "glass", "plastic", "steel", "wood")
FREQUENCIES = ("500hz", "1000hz", "3000hz")
DISTANCES = (0.4, 0.6, 0.9, 1.2)

Import: TypeAlias = "Callable[[str], ModuleType]"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Train on one thread: tests run in parallel, and threads that wait for each other's core are slow."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[Import]:
    """Import modules of the example as its scripts do, and forget them afterwards."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(EXAMPLE)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module
    for name in set(sys.modules) - known:
        if name.partition(".")[0] in {"pair_ranking", *(path.stem for path in EXAMPLE.glob("*.py"))}:
            del sys.modules[name]


@pytest.fixture
def train(example: Import, tmp_path: Path) -> Callable[..., Any]:
    """Return a function that trains a tiny model of plastic at 500 Hz, in this process."""
    training = example("pair_ranking.training")

    def run(*, seed: int = 42, epochs: int = 1, verify: bool = False, **settings: Any) -> Any:
        settings = {"output": tmp_path, "num_workers": 0, "num_pairs": 48, "num_batches": 2, **settings}
        how = training.Settings(**settings)
        return training.train_model_with_checkpoints("500hz", "plastic", epochs, seed, verify, settings=how)

    return run


def run_script(name: str, *arguments: object, stdin: str = "", cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a script of the example in a fresh process, in which no variable of determinism is set."""
    variables = dict(os.environ)
    for variable in ("PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG"):
        variables.pop(variable, None)
    variables["PYTHONPATH"] = str(Path(reproof.__file__).parents[1])  # the reproof that is tested, from any folder
    variables |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, EXAMPLE / name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, cwd=cwd, env=variables, input=stdin, text=True)


def write_recordings(folder: Path, *, frequency: str = "500hz") -> Path:
    """Write a few simulated signals of plastic as WAV files and return the folder of one distance class."""
    script = importlib.import_module("simulate_signals")
    assert script.main([str(folder), "--materials", "plastic", "--frequencies", frequency, "--num-signals", "10"]) == 0
    return folder / "plastic" / frequency / "60cm"


class TestSimulation:
    """Simulated signals."""

    def test_attenuation_follows_the_loss_per_wavelength(self, example: Import) -> None:
        """A bending wave loses 13.6 dB per wavelength times the loss factor, so more at a higher frequency."""
        for plate in example("pair_ranking.materials").MATERIALS.values():
            losses = [plate.attenuation(frequency) for frequency in (500, 1000, 3000)]
            wavelength = plate.phase_speed(1000) / 1000
            assert losses == sorted(losses)
            assert losses[1] * wavelength == pytest.approx(13.64 * plate.loss_factor, rel=1e-3)

    def test_signals_weaken_with_distance_and_more_so_at_a_higher_frequency(self, example: Import) -> None:
        """In plastic, the mean energy falls from class to class, and faster at 3 kHz than at 500 Hz."""
        simulate = example("pair_ranking.simulation").simulate_signal

        def level(frequency: str, distance: float) -> float:
            signals = [simulate("plastic", frequency, distance, number=i, noise=0) for i in range(40)]
            return float(10 * np.log10(np.mean(np.square(signals, dtype=float))))

        levels = {frequency: [level(frequency, distance) for distance in DISTANCES] for frequency in FREQUENCIES}
        for of_frequency in levels.values():
            assert of_frequency == sorted(of_frequency, reverse=True)
        assert levels["500hz"][-1] - levels["500hz"][0] > levels["3000hz"][-1] - levels["3000hz"][0] + 2

    def test_waves_are_dispersed(self, example: Import) -> None:
        """The higher the frequency, the earlier the signal arrives; and the nearer the sensor."""
        simulate = example("pair_ranking.simulation").simulate_signal

        def arrival(frequency: str, distance: float) -> float:
            signals = np.abs([simulate("plastic", frequency, distance, number=i, noise=0) for i in range(40)])
            return float(np.mean(np.argmax(signals > 0.1 * signals.max(axis=1, keepdims=True), axis=1)))

        assert arrival("500hz", 1.2) > arrival("1000hz", 1.2) > arrival("3000hz", 1.2)
        assert arrival("500hz", 0.4) < arrival("500hz", 1.2)

    def test_arguments_decide_the_signal(self, example: Import) -> None:
        """The same arguments give the same samples, whatever is seeded or simulated besides; any other gives others."""
        simulate = example("pair_ranking.simulation").simulate_signal
        signal = simulate("steel", "1000hz", 0.6, number=3)
        np.random.seed(1)  # noqa: NPY002  # the global state that must not matter
        others = [
            simulate("steel", "1000hz", 0.6, number=4),
            simulate("steel", "1000hz", 0.6, number=3, seed=1),
            simulate("glass", "1000hz", 0.6, number=3),
            simulate("steel", "3000hz", 0.6, number=3),
            simulate("steel", "1000hz", 0.9, number=3),
        ]
        assert np.array_equal(simulate("steel", "1000hz", 0.6, number=3), signal)
        assert not any(np.array_equal(other, signal) for other in others)

    @pytest.mark.parametrize(("material", "frequency"), [("gold", "500hz"), ("steel", "loud"), ("steel", "9000hz")])
    def test_what_cannot_be_simulated_is_refused_by_name(self, example: Import, material: str, frequency: str) -> None:
        """An unknown material or frequency is one line with the offending word."""
        with pytest.raises(reproof.ReproofError, match=r"gold|loud|9000hz"):
            example("pair_ranking.signals").load_signals(None, material, frequency)


class TestRecordings:
    """Signals in WAV files."""

    def test_written_signals_are_those_that_a_training_simulates(self, example: Import, tmp_path: Path) -> None:
        """What `simulate_signals.py` writes is read back bit for bit, with the same classes in the same order."""
        signals = example("pair_ranking.signals")
        assert example("simulate_signals").main([str(tmp_path), "--materials", "steel", "--frequencies", "500hz"]) == 0
        read, simulated = (signals.load_signals(data, "steel", "500hz") for data in (tmp_path, None))
        assert torch.equal(read.samples, simulated.samples)
        assert torch.equal(read.labels, simulated.labels)
        assert read.classes == simulated.classes == ("40cm", "60cm", "90cm", "120cm")
        assert signals.list_signal_sets(tmp_path) == [("steel", "500hz")]

    def test_simulating_does_not_replace_recordings(
        self, example: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A folder that exists is written into only with --force."""
        folder = write_recordings(tmp_path)
        (folder / "000.wav").write_bytes(b"mine")
        arguments = [str(tmp_path), "--materials", "plastic", "--frequencies", "500hz"]
        assert example("simulate_signals").main(arguments) == 2
        assert (folder / "000.wav").read_bytes() == b"mine"
        assert "--force" in capsys.readouterr().err

    def test_order_of_a_listing_does_not_matter(
        self, example: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file system that lists files backwards gives the same signals in the same order."""
        write_recordings(tmp_path)
        load = example("pair_ranking.signals").load_signals
        forwards = load(tmp_path, "plastic", "500hz")
        list_folder = Path.iterdir
        monkeypatch.setattr(Path, "iterdir", lambda folder: iter(sorted(list_folder(folder), reverse=True)))
        backwards = load(tmp_path, "plastic", "500hz")
        assert torch.equal(forwards.samples, backwards.samples)
        assert forwards.classes == backwards.classes

    def test_unequal_lengths_are_cut_to_the_shortest(self, example: Import, tmp_path: Path) -> None:
        """A longer recording is used as far as the shortest one goes."""
        folder = write_recordings(tmp_path)
        example("pair_ranking.wav").write_wav(folder / "000.wav", np.zeros(500, np.int16), 16_000)
        assert example("pair_ranking.signals").load_signals(tmp_path, "plastic", "500hz").samples.shape == (40, 500)

    @pytest.mark.parametrize(("channels", "width"), [(2, 2), (1, 1), (1, 3)])
    def test_another_form_is_refused(self, example: Import, tmp_path: Path, channels: int, width: int) -> None:
        """Stereo, 8 and 24 bits: one line that names the file, what it holds and how to convert it."""
        path = write_recordings(tmp_path) / "003.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((channels, width, 16_000, 0, "NONE", ""))
            file.writeframes(bytes(12 * channels * width))
        with pytest.raises(reproof.ReproofError, match=rf"003\.wav has {8 * width} bits, {channels} channel.*ffmpeg"):
            example("pair_ranking.signals").load_signals(tmp_path, "plastic", "500hz")

    @pytest.mark.parametrize("damage", [lambda _: b"", lambda _: b"no audio", lambda data: data[:1000]])
    def test_a_damaged_file_is_refused(self, example: Import, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
        """An empty, a foreign and a truncated file: one line that names it."""
        path = write_recordings(tmp_path) / "003.wav"
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(reproof.ReproofError, match=r"003\.wav") as caught:
            example("pair_ranking.signals").load_signals(tmp_path, "plastic", "500hz")
        assert "\n" not in str(caught.value)

    def test_a_folder_that_cannot_be_used_is_refused(self, example: Import, tmp_path: Path) -> None:
        """Two sample rates, one class, an empty class and a missing folder: one line that says which."""
        load, write = example("pair_ranking.signals").load_signals, example("pair_ranking.wav").write_wav
        with pytest.raises(reproof.ReproofError, match="nowhere"):
            load(tmp_path / "nowhere", "plastic", "500hz")
        folder = write_recordings(tmp_path)
        with pytest.raises(reproof.ReproofError, match=r"no folder .*1000hz.*plastic 500hz"):
            load(tmp_path, "plastic", "1000hz")
        write(folder / "003.wav", np.ones(1024, np.int16), 8_000)
        with pytest.raises(reproof.ReproofError, match=r"000\.wav has 16000 .*003\.wav 8000"):
            load(tmp_path, "plastic", "500hz")
        (tmp_path / "steel" / "500hz" / "1m").mkdir(parents=True)
        with pytest.raises(reproof.ReproofError, match=r"1m holds no \*\.wav"):
            load(tmp_path, "steel", "500hz")
        write(tmp_path / "steel" / "500hz" / "1m" / "a.wav", np.ones(1024, np.int16), 16_000)
        with pytest.raises(reproof.ReproofError, match="at least two distances"):
            load(tmp_path, "steel", "500hz")


class TestTraining:
    """One training."""

    def test_pairs_rank_signals_of_different_classes(self, example: Import) -> None:
        """The target says which signal of a pair is nearer; training and test share no signal."""
        training = example("pair_ranking.training")
        signals = example("pair_ranking.signals").load_signals(None, "steel", "500hz")
        loader, test_pairs = training.make_data(signals, 1, training.Settings(num_workers=0))
        batch = next(iter(loader))
        assert batch.data1.shape == batch.data2.shape == (16, 1, 1024)
        assert torch.equal(batch.target, torch.sign(batch.label2 - batch.label1))
        assert {1, -1} == set(batch.target.tolist())
        members = [{member for pair in pairs._pairs for member in pair} for pairs in (loader.dataset, test_pairs)]
        assert members[0].isdisjoint(members[1])

    def test_a_trained_model_ranks_signals_that_it_never_saw(self, train: Callable[..., Any]) -> None:
        """After a few epochs it is far better than by chance, which is a half."""
        assert train(epochs=3, num_pairs=192).accuracy > 0.7

    def test_checkpoints_are_kept_along_the_way(
        self, train: Callable[..., Any], example: Import, tmp_path: Path
    ) -> None:
        """Epochs 0, 1, 2 and the last are kept, load as plain weights, and replace those of an earlier training."""
        stale = tmp_path / "plastic_500hz" / "seed42_epoch0050.pt"
        other = tmp_path / "plastic_500hz" / "seed4_epoch0050.pt"
        stale.parent.mkdir()
        stale.touch()
        other.touch()
        trained = train(epochs=4)
        contents = [torch.load(path, weights_only=True) for path in trained.checkpoints]
        assert [content["epoch"] for content in contents] == [0, 1, 2, 4]
        assert sorted([*trained.checkpoints, other]) == sorted(stale.parent.iterdir())
        model = example("pair_ranking.model").PairRanker()
        model.load_state_dict(contents[-1]["model"])
        assert example("pair_ranking.training").digest_weights(model) == trained.weights_digest
        model.load_state_dict(contents[0]["model"])
        assert example("pair_ranking.training").digest_weights(model) != trained.weights_digest

    def test_recording_changes_no_weight(self, train: Callable[..., Any]) -> None:
        """The final weights are the same bits with and without the record, and other bits with another seed."""
        plain, recorded, other = train(), train(verify=True), train(seed=43)
        assert plain.trace is None
        assert recorded.weights_digest == plain.weights_digest != other.weights_digest

    def test_a_record_is_a_trace_and_the_pickle_of_the_old_check(
        self, train: Callable[..., Any], example: Import, tmp_path: Path
    ) -> None:
        """Both have the name that the old check gave, and the pickle holds what it held."""
        trace = train(verify=True).trace
        assert trace.parent == tmp_path / "batch_consistency" / "plastic_500hz"
        assert (trace / "run.json").is_file()
        batches = read_legacy(trace.with_suffix(".pkl"))
        training = example("pair_ranking.training")
        with reproof.deterministic(seed=42):
            signals = example("pair_ranking.signals").load_signals(None, "plastic", "500hz")
            loader, _ = training.make_data(signals, 42, training.Settings(num_workers=0, num_pairs=48))
            batch = next(iter(loader))
        assert [batch.batch_idx for batch in batches] == [0, 1]
        assert batches[0].data1_shape == batches[0].data2_shape == (16, 1, 1024)
        assert batches[0].targets == tuple(batch.target.tolist())
        assert (batches[0].labels1, batches[0].labels2) == (tuple(batch.label1.tolist()), tuple(batch.label2.tolist()))
        assert (batches[0].data1_sum, batches[0].data2_sum) == (batch.data1.sum().item(), batch.data2.sum().item())
        assert (batches[0].data1_std, batches[0].data2_std) == (batch.data1.std().item(), batch.data2.std().item())

    @pytest.mark.parametrize(
        ("settings", "word"), [({"num_pairs": 8}, "--batch-size"), ({"output": Path("/dev/null")}, "/dev/null")]
    )
    def test_a_training_that_cannot_be_carried_out_is_refused(
        self, train: Callable[..., Any], settings: dict[str, Any], word: str
    ) -> None:
        """Fewer pairs than a batch, and a folder that cannot be written: one line that says so."""
        with pytest.raises(reproof.ReproofError, match=word):
            train(**settings)


class TestComparison:
    """`compare_batch_consistency.py` on recorded trainings."""

    def test_the_same_training_is_identical(
        self, train: Callable[..., Any], example: Import, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Two traces of one seed are the same to the bit, their pickles within 1e-6; --dir finds the two traces."""
        traces = [train(verify=True).trace for _ in range(2)]
        compare = example("compare_batch_consistency").main
        capsys.readouterr()
        assert compare([str(trace) for trace in traces]) == 0
        assert "identical: all 2 batches are the same to the last bit" in capsys.readouterr().out
        assert compare([f"{trace}.pkl" for trace in traces]) == 0
        assert "batches 0 to 1: no difference within 1e-06" in capsys.readouterr().out
        assert compare(["--dir", str(traces[0].parent)]) == 0
        assert "identical" in capsys.readouterr().out

    def test_another_seed_is_named_batch_by_batch(
        self, train: Callable[..., Any], example: Import, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Traces tell that other samples were drawn, pickles that targets, labels and sums differ."""
        traces = [train(verify=True, seed=seed).trace for seed in (42, 43)]
        compare = example("compare_batch_consistency").main
        capsys.readouterr()
        assert compare([str(trace) for trace in traces]) == 1
        shown = capsys.readouterr().out
        assert "batch 1 differs:" in shown
        assert "of 16 samples are others" in shown
        assert "diverged: 2 of 2 batches differ, first batch 0" in shown
        assert compare([f"{trace}.pkl" for trace in traces]) == 1
        shown = capsys.readouterr().out
        assert "labels1: " in shown
        assert "data2_std: 0." in shown

    def test_one_changed_sample_is_found_and_named(
        self, train: Callable[..., Any], example: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Recordings that changed in one bit differ in content, not in order, and agree within a tolerance."""
        folder = write_recordings(tmp_path / "data")
        before = train(verify=True, data=tmp_path / "data").trace
        wav = example("pair_ranking.wav")
        for path in folder.iterdir():
            samples, rate = wav.read_wav(path)
            samples[500] ^= 1
            wav.write_wav(path, samples, rate)
        after = train(verify=True, data=tmp_path / "data").trace
        compare = example("compare_batch_consistency").main
        capsys.readouterr()
        assert compare([str(before), str(after)]) == 1
        shown = capsys.readouterr().out
        assert "other content" in shown
        assert "indices" not in shown
        assert "label" not in shown
        assert compare([str(before), str(after), "--tolerance", "0.01"]) == 0

    @pytest.mark.parametrize("arguments", [[], ["a"], ["a", "b"], ["--dir", "nowhere"], ["a", "b", "--dir", "."]])
    def test_what_cannot_be_compared_is_one_line(
        self, example: Import, capsys: pytest.CaptureFixture[str], arguments: list[str]
    ) -> None:
        """Too few runs, runs that do not exist, or both kinds of argument: exit code 2 and one line."""
        assert example("compare_batch_consistency").main(arguments) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("error: ")
        assert shown.err.count("\n") == 1


class TestScript:
    """`train_models_for_gradient_analysis.py` as a user starts it."""

    TINY = ("--pairs", 32, "--batches", 2, "--epochs", 1)

    @pytest.mark.slow
    def test_check_finds_two_fresh_trainings_identical(self, tmp_path: Path) -> None:
        """Two processes with two workers each draw the same batches; nothing is left but their records."""
        result = run_script(
            "train_models_for_gradient_analysis.py",
            "--check",
            "--workers",
            2,
            *self.TINY,
            "--output",
            "out",
            cwd=tmp_path,
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout.count("hash-seed (pinned to 0)") == 2
        assert result.stdout.splitlines()[-1].startswith("identical: all 2 batches")
        assert result.stderr == ""
        left = sorted(path.relative_to(tmp_path).parts[:3] for path in tmp_path.glob("*/*/*/*"))
        assert len(left) == 4
        assert set(left) == {("out", "batch_consistency", "plastic_500hz")}

    @pytest.mark.slow
    @pytest.mark.thorough
    def test_menu_checks_and_tells_another_seed(self, tmp_path: Path) -> None:
        """Choice 2 asks for material and frequency, and exits with 1 when the batches differ."""
        options = (*self.TINY, "--workers", 0, "--other-seed", 7)
        result = run_script(
            "train_models_for_gradient_analysis.py", "--menu", *options, stdin="2\nsteel\n1000hz\nq\n", cwd=tmp_path
        )
        assert result.returncode == 1, result.stderr
        assert "steel at 1000hz" in result.stdout
        assert "batch 0 differs:" in result.stdout
        assert len(list((tmp_path / "saved_models/batch_consistency/steel_1000hz").glob("*_seed7.pkl"))) == 1

    def test_hash_seed_that_is_not_in_force_is_said(self, tmp_path: Path) -> None:
        """A training that was started without PYTHONHASHSEED says so and how to set it; --record records it."""
        result = run_script(
            "train_models_for_gradient_analysis.py", "--workers", 0, "--record", *self.TINY, cwd=tmp_path
        )
        assert result.returncode == 0, result.stderr
        assert "NOT in force: hash-seed (random" in result.stdout
        assert "PYTHONHASHSEED=0" in result.stdout
        assert len(list((tmp_path / "saved_models/batch_consistency/plastic_500hz").glob("*_seed42/run.json"))) == 1

    def test_menu_ends_with_its_input(self, tmp_path: Path) -> None:
        """Without any flag and with nobody to answer, the menu is shown once and that is all."""
        result = run_script("train_models_for_gradient_analysis.py", cwd=tmp_path)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.count("3  train all materials and frequencies") == 1
        assert list(tmp_path.iterdir()) == []

    def test_menu_trains_and_survives_a_mistake(
        self, example: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """An unknown choice and an unknown material are told in a line each, and the menu goes on."""
        script = example("train_models_for_gradient_analysis")
        monkeypatch.setattr(sys, "stdin", io.StringIO("7\n1\ngold\n\n1\nwood\n3000hz\nq\n"))
        arguments = ["--menu", "--workers", "0", "--epochs", "1", "--pairs", "16", "--output", str(tmp_path)]
        assert script.main(arguments) == 0
        shown = capsys.readouterr()
        assert "no choice '7'" in shown.out
        assert (
            shown.err == "error: the material 'gold' is not known: give one of aluminium, glass, plastic, steel, wood\n"
        )
        assert [path.name for path in tmp_path.iterdir()] == ["wood_3000hz"]

    def test_all_models_are_those_that_there_are_signals_of(self, example: Import, tmp_path: Path) -> None:
        """--train-all trains each material and frequency of a folder of recordings, or else of the simulation."""
        write_recordings(tmp_path / "data")
        write_recordings(tmp_path / "data", frequency="1000hz")
        arguments = [
            "--train-all",
            "--workers",
            "0",
            "--epochs",
            "1",
            "--pairs",
            "16",
            "--output",
            str(tmp_path / "out"),
        ]
        assert example("train_models_for_gradient_analysis").main([*arguments, "--data", str(tmp_path / "data")]) == 0
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["plastic_1000hz", "plastic_500hz"]
        kinds = example("pair_ranking.signals").list_signal_sets(None)
        assert kinds == [(material, frequency) for material in MATERIALS for frequency in FREQUENCIES]
