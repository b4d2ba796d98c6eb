"""Make all hooks of a recording: the one place that knows them, and in which order they are made.

A hook is in place once it is made: it replaces functions through `Context.patches`, which undoes that at the end, and
adds itself to the lists of a context if it has to know when a step or the recording ends. Whatever it calls of another
hook is an argument here. This file imports PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.optim.optimizer import Optimizer

from reproof.recorder.background import Background
from reproof.recorder.by_hand import StepsByHand
from reproof.recorder.context import Context
from reproof.recorder.evidence import EvidenceRecorder
from reproof.recorder.existing import find_existing
from reproof.recorder.final.states import FinalStates
from reproof.recorder.joins import hook_joins, hook_tasks
from reproof.recorder.loaders import LoaderHooks
from reproof.recorder.metrics import record_metric
from reproof.recorder.models import ModelHooks
from reproof.recorder.names import KnownNames
from reproof.recorder.registry import Changes, Registry
from reproof.recorder.rng import RngReader
from reproof.recorder.state import StateRecorder
from reproof.recorder.steps import StepHooks
from reproof.recorder.trackers import tap_trackers
from reproof.recorder.trainings import Training, Trainings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from reproof.recorder.frames import FrameBuilder
    from reproof.recorder.patches import Patches
    from reproof.recorder.problems import Problems
    from reproof.recorder.trainings import ThreadState
    from reproof.schema import Level, Probes


def make_context(  # the fields of a context that need no PyTorch
    *,
    folder: Path,
    levels: frozenset[Level],
    num_batches: int | None,
    statistics: bool,
    frames: FrameBuilder,
    patches: Patches,
    problems: Problems,
    thread: ThreadState,
) -> Context:
    """Return the context of a recording, whose hooks are still to be made.

    Args are as the attributes of `Context`; with `statistics`, summary statistics of floating-point tensors are kept.
    Effects: registers hooks of PyTorch that count changes of modules, until `patches` are restored.
    """
    return Context(
        folder=folder,
        levels=levels,
        num_batches=num_batches,
        patches=patches,
        problems=problems,
        frames=frames,
        evidence=EvidenceRecorder(frames, statistics=statistics),
        background=Background(frames, problems.add),
        trainings=Trainings(Training(Registry(Changes(patches), KnownNames())), frames, thread, problems.add),
        rng=RngReader(),
        thread=thread,
    )


def install_hooks(context: Context, *, is_new: bool) -> None:
    """Hook loaders, modules, autograd and optimizers; unless PyTorch `is_new`, those that are there already, too.

    Effects: replaces functions of PyTorch and `threading.Thread.join` until `context.patches` are restored.
    """
    hook_joins(context)
    equip_trainings(context)
    models = ModelHooks(context)
    LoaderHooks(context, models)
    earlier = [] if is_new else find_existing(torch.nn.Module, Optimizer)
    StepHooks(context, [thing for thing in earlier if isinstance(thing, Optimizer)])
    if context.records("steps"):
        hook_final_states(context, earlier)
        hook_trackers(context)


def equip_trainings(context: Context) -> None:
    """Give each training what records it, the main one now and others once they begin."""
    main = context.trainings.main

    def equip(training: Training) -> Training:
        training.state = StateRecorder(context.evidence, training.registry)
        training.by_hand = StepsByHand(context, training.state)
        return training

    def finish() -> None:
        with context.problems.guard("update"):
            main.by_hand.finish()

    equip(main)
    context.trainings.make = lambda: equip(Training(main.registry.branch()))
    context.on_end.append(finish)
    hook_tasks(context)


def hook_final_states(context: Context, earlier: Iterable[Any]) -> None:
    """Have the last state of everything recorded when the training is over (stage ``final``).

    Args:
        context: What hooks see of the recording.
        earlier: Modules and optimizers that were there before it.
    """
    states = FinalStates(
        context.evidence, context.trainings.main.registry.known, lambda: context.is_active, context.problems.add_error
    )
    context.patches.on_restore(states.watch(earlier))

    def record() -> None:
        with context.problems.guard("final state"):
            ended = [one for one in context.trainings.every if one not in context.trainings.unfinished]
            roots = {id(root): root for training in ended for root, _ in training.registry.roots}
            leaves = [leaf for training in ended for leaf in training.by_hand.list_leaves()]
            states.record(roots.values(), leaves, is_whole=not context.trainings.unfinished)

    context.on_complete.append(record)


def hook_trackers(context: Context) -> None:
    """Have recorded what the script logs to TensorBoard, MLflow, Weights & Biases or its trainer (stage ``metric``)."""

    def record_value(name: str, value: Any) -> None:
        if not context.is_active:
            return
        with context.problems.guard("logged value"):
            if context.thread.is_beside:
                with context.background.apart(f"{name} in a thread"):
                    record_metric(context.evidence, f"{name} in a thread", value)
            else:
                record_metric(context.evidence, name, value)

    context.patches.on_restore(tap_trackers(record_value))


def install_probes(context: Context, probes: Probes, run_id: str, rank: int) -> None:
    """Begin what looks into operations and memory; after the hooks, so that it sees none of the recorder's own.

    Effects: may enter dispatch modes of PyTorch until `context.patches` are restored.
    """
    if context.records("ops") or probes.ops_steps is not None or probes.repeats_ops:
        from reproof.recorder.probes.operations import OperationHooks

        with context.problems.guard("operations"):
            OperationHooks(context, probes, run_id, rank)
    if probes.poisons:
        from reproof.recorder.probes.poison_hooks import PoisonHooks

        with context.problems.guard("poison"):
            PoisonHooks(context, probes, rank)
    if probes.notes_numbers:
        from reproof.recorder.probes.given_numbers import note_given_numbers

        with context.problems.guard("numbers"):
            note_given_numbers(context, rank)
    if probes.samples_step is not None:
        from reproof.recorder.probes.samples import SampleKeeper

        with context.problems.guard("samples"):
            SampleKeeper(context, probes.samples_step, rank)
