"""What the stages `final` and `output` cost: a training with and without them, in alternation, as a ratio.

    python benchmarks/ending.py [--rounds 5] [--steps 1500]

Each run is a fresh process at level `steps` that prints a line in every tenth step, saves a checkpoint in every
hundredth, averages its weights in a copy and writes a log. Compared are seconds of the processor, which what else runs
on the machine changes least, and the peak of the memory. As a run is shorter than the minute that the limit of 1 % is
about, the line `per minute` sets what does not grow with the training (looking for what is there at its beginning,
reading what is left at its end) against a whole minute, and what does against the run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

MINUTE = 60.0

TRAINING = """
import copy, json, os, resource, sys, time
import torch
from torch import nn
from reproof.recorder import hooks
from reproof.recorder.session import Recording

num_steps, mode = int(sys.argv[1]), sys.argv[2]
if mode == "without":
    hooks.hook_final_states = lambda context: None
torch.set_num_threads(1)
torch.manual_seed(0)
rows = torch.randn(4096, 64)

def train():
    model = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 1))
    average = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters())
    with open("log.txt", "w") as log:
        for step in range(num_steps):
            batch = rows[step % 32 * 128 :][:128]
            optimizer.zero_grad()
            loss = (model(batch) - batch.sum(1, keepdim=True)).square().mean()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for kept, now in zip(average.parameters(), model.parameters()):
                    kept.lerp_(now, 0.01)
            if step % 10 == 0:
                print(f"step {step} loss {loss.item():.6f}")
            if step % 100 == 0:
                log.write(f"step {step} loss {loss.item():.6f}\\n")
                torch.save(average.state_dict(), f"{step}.pt")

start = time.process_time()
recording = Recording("trace", captures_output=mode == "with")
recording.open()
recording.install()
opened = time.process_time()
train()
trained = time.process_time()
recording.close("complete")
end = time.process_time()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([trained - opened, opened - start + end - trained, peak]), file=sys.stderr)
"""


def run(mode: str, num_steps: int) -> tuple[float, float, float]:
    """Train in a fresh process; return seconds of training and of what is around it, and the peak of memory in KiB."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "train.py").write_text(TRAINING, encoding="utf-8")
        command = [sys.executable, "train.py", str(num_steps), mode]
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    training, around, peak = json.loads(done.stderr.splitlines()[-1])
    return training, around, peak


def main() -> None:
    """Measure, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1500)
    options = parser.parse_args()
    training: list[float] = []
    around: list[float] = []
    memory: list[float] = []
    seconds: list[float] = []
    for number in range(options.rounds):
        modes = ("with", "without") if number % 2 else ("without", "with")
        found = {mode: run(mode, options.steps) for mode in modes}
        training.append(found["with"][0] / found["without"][0])
        around.append(found["with"][1] - found["without"][1])
        memory.append(found["with"][2] / found["without"][2])
        seconds.append(found["without"][0])
        print(
            f"round {number + 1}: {seconds[-1]:.2f} s of training, ratio {training[-1]:.4f}; "
            f"{around[-1]:+.3f} s before and after; peak of memory {memory[-1]:.4f}",
            flush=True,
        )
    ratio, extra = statistics.median(training), statistics.median(around)
    share = ratio - 1 + extra / MINUTE
    print(f"per minute: {share:+.2%} ({ratio - 1:+.2%} while it trains, {extra:.3f} s before and after)")
    print(f"peak of memory: {statistics.median(memory) - 1:+.2%}")


if __name__ == "__main__":
    main()
