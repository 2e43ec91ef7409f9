"""The command lines of the programs that are compared. Their flags are the same where the thing is, and so are their modes."""

import argparse
import sys
from pathlib import Path

from sides import Side

HERE = Path(__file__).parent
NET = ("arch", "encoder", "width", "head", "classes")
# A part, as --only of both programs has it, and its modes; parts of a run beside its steps.
STEPS = {"inference": ("infer",), "train": ("train",)}
PARTS = {"data": ("data",), "eval": ("eval",), "checkpoint": ("checkpoint_save", "checkpoint_load"), "update": ("update",), "dashboard": ("dashboard",)}
BATCH, CROP, SIZE = 8, "320x320", "360x480"  # that those are measured on: of the input pipeline, and of inference beside evaluation


def fcnx(args: argparse.Namespace, only: list[str], *more: str) -> list[str]:
    return [args.fcnx, "bench", "--server", "--backend", args.device, "--only", ",".join(only), *net(args), *more]


def torch(args: argparse.Namespace, only: list[str], *more: str) -> list[str]:
    return [sys.executable, str(HERE / "torch" / "bench.py"), "--server", "--device", args.device, "--only", ",".join(only), *net(args), *more]


def net(args: argparse.Namespace) -> list[str]:
    return [word for key in NET for word in (f"--{key}", str(getattr(args, key)))]


def modes(only: list[str]) -> tuple[str, ...]:
    return tuple(mode for part in only for mode in (STEPS | PARTS)[part])


def of_steps(args: argparse.Namespace, shape: tuple[int, int, int], only: list[str], precision: str) -> list[Side]:
    """Who takes part in inference and the training step of one shape, [N,H,W]. fcnx and the first of PyTorch also multiply two
    large matrices: the peak that all are held to. A GPU's fast convolutions want channels_last, so there it is the only format."""
    batch, height, width = shape
    words = ["--size", f"{height}x{width}", "--batch", str(batch), "--precision", precision]
    formats = ["channels_last"] if args.device == "cuda" else ["contiguous", "channels_last"]
    sides = [Side("fcnx", fcnx(args, only, *words), modes(only))]
    sides += [Side(f"PyTorch {name}", torch(args, only, *words, "--format", name), modes(only)) for name in formats]
    if args.compile:
        sides.append(Side("PyTorch compiled", torch(args, only, *words, "--format", "channels_last", "--compile"), modes(only)))
    for side in sides[:2]:
        side.modes += ("product",)
    return sides


def of_parts(args: argparse.Namespace, data: str, folder: str) -> list[Side]:
    """Who takes part in the rest of a run: fcnx; its loader once more, from a pack; PyTorch, its loader in the one process and in
    processes of its own. data is a SPEC that both read; checkpoints and the pack are written below folder."""
    words = ["--size", SIZE, "--batch", str(BATCH), "--out", folder] + (["--data", data] if data else [])
    augment = ["--set", f"augment.crop={CROP}", "--set", "augment.flip=true"]
    theirs = [*words, "--crop", CROP, "--format", "channels_last"]
    loads = [part for part in args.parts if part in ("data", "eval")]
    found = []
    for name, program, only, more in (
        ("fcnx", fcnx, args.parts + ["inference"] * ("eval" in args.parts), [*words, *augment]),
        ("fcnx, from a pack", fcnx, [part for part in loads if part == "data"], [*words, *augment, "--set", f"data.pack={folder}/pack"]),
        ("PyTorch", torch, [part for part in args.parts if part != "dashboard"], theirs),
        (f"PyTorch, {args.workers} workers", torch, loads, [*theirs, "--workers", str(args.workers)]),
    ):
        if only:
            found.append(Side(name, program(args, only, *more), modes(only)))
    if "checkpoint" in args.parts:
        found[0].modes += ("checkpoint_disk",)  # a plain file of that size
    return found
