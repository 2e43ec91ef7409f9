"""Time FCN in PyTorch on the CPU: inference and the training step.

    python bench.py --size 320x320 --steps 5               both modes, both memory formats
    python bench.py --server --format channels_last        answer "infer N" and "train N" on stdin

Each result is one JSON line on stdout: {"mode","format","seconds":[...],"peak_rss_bytes"}.
The peak is the process's meanwhile, so a server has one format only. Its first line is as that of
`fcnx bench --server`: each mode has run once, and what that took, compilation included. "product N"
multiplies two large matrices, in the precision of the net.
"""

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import torch
from torch import Tensor

from fcn import FCN, cross_entropy, parameter_groups

PRODUCT = 2048  # rows and columns
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class Bench:
    """One net with its batch and its optimiser, in one memory format."""

    def __init__(self, args: argparse.Namespace, memory_format: str):
        torch.manual_seed(args.seed)
        layout = FORMATS[memory_format]
        height, width = args.size
        self.format = memory_format
        self.model = FCN(args.arch, args.encoder, args.classes, args.width, args.head, args.upsample)
        self.model.to(memory_format=layout)
        self.images = torch.randn(args.batch, 3, height, width).to(memory_format=layout)
        self.labels = torch.randint(args.classes, (args.batch, height, width))
        self.precision = getattr(torch, args.precision)
        groups = parameter_groups(self.model, lr=1e-4, weight_decay=5e-4, bias_lr=2.0)
        self.optimizer = torch.optim.SGD(groups, momentum=0.9, fused=True)
        self.forward: Callable[[Tensor], Tensor] = torch.compile(self.model) if args.compile else self.model

    def mixed(self) -> torch.autocast:
        """In bfloat16, if that is asked for; the weights stay float32."""
        return torch.autocast("cpu", self.precision, enabled=self.precision != torch.float32)

    def infer(self) -> None:
        """Images [N,3,H,W] -> logits [N,C,H,W]."""
        self.model.eval()
        with torch.inference_mode(), self.mixed():
            self.forward(self.images)

    def train(self) -> None:
        """One step: forward with dropout, mean cross-entropy, backward, SGD with momentum and decay."""
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        with self.mixed():
            loss = cross_entropy(self.forward(self.images), self.labels)
        loss.backward()
        self.optimizer.step()
        loss.item()

    def product(self) -> None:
        """[PRODUCT,PRODUCT] times [PRODUCT,PRODUCT]."""
        if not hasattr(self, "matrices"):
            self.matrices = torch.randn(2, PRODUCT, PRODUCT).to(self.precision)
        torch.mm(*self.matrices)

    def time(self, mode: str, steps: int) -> dict:
        """The seconds of each of so many steps, as the JSON line to print."""
        step = {"infer": self.infer, "train": self.train, "product": self.product}[mode]
        seconds = []
        forget_peak()
        for _ in range(steps):
            start = time.perf_counter()
            step()
            seconds.append(round(time.perf_counter() - start, 6))
        result = {"mode": mode, "format": self.format, "seconds": seconds, "peak_rss_bytes": peak_rss()}
        if mode == "product":
            result["multiply_adds"] = PRODUCT**3
        return result


def main() -> None:
    args = parse()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    if args.server:
        start = time.perf_counter()
        bench = Bench(args, args.format)
        setup = round(time.perf_counter() - start, 3)
        first = {mode: bench.time(mode, 1) for mode in ("infer", "train")}
        say(
            {
                "ready": True,
                "setup_seconds": setup,
                "compile_seconds": {mode: f["seconds"][0] for mode, f in first.items()},
                "peak_rss_bytes": {mode: f["peak_rss_bytes"] for mode, f in first.items()},
                "torch": torch.__version__,
                "threads": torch.get_num_threads(),
                "compiled": args.compile,
            }
        )
        for mode, steps in commands():
            say(bench.time(mode, steps))
        return
    for memory_format in FORMATS if args.format == "both" else [args.format]:
        bench = Bench(args, memory_format)
        for mode in ("infer", "train"):
            bench.time(mode, args.warmup)
            say(bench.time(mode, args.steps))


def commands() -> Iterator[tuple[str, int]]:
    """The "infer N", "train N" and "product N" lines of stdin, until it ends."""
    for line in sys.stdin:
        mode, _, steps = line.strip().partition(" ")
        if mode not in ("infer", "train", "product") or not steps.isdigit():
            sys.exit(f"bench.py: {line.strip()!r} is no command: infer N, train N or product N")
        yield mode, int(steps)


def say(result: dict) -> None:
    print(json.dumps(result), flush=True)


def forget_peak() -> None:
    """Where the system lets it, the peak begins anew with what the process has now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def peak_rss() -> int:
    """The most memory that the process had, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", default="fcn8s", help="fcn32s, fcn16s or fcn8s")
    parser.add_argument("--encoder", default="vgg16", help="vgg11, vgg13, vgg16 or vgg19, with or without _bn")
    parser.add_argument("--upsample", default="learned", help="learned, depthwise or bilinear")
    parser.add_argument("--classes", type=int, default=21)
    parser.add_argument("--size", type=height_width, default=(320, 320), metavar="HxW")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--width", type=int, default=64, help="channels of conv1_1")
    parser.add_argument("--head", type=int, default=4096, help="channels of fc6 and fc7")
    parser.add_argument("--format", choices=[*FORMATS, "both"], default="both")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32", help="bfloat16: by autocast")
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each mode")
    parser.add_argument("--warmup", type=int, default=2, help="steps before them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="through torch.compile; needs a C++ compiler")
    parser.add_argument("--server", action="store_true", help="answer commands on stdin; needs one --format")
    args = parser.parse_args()
    if args.server and args.format == "both":
        parser.error("--server needs --format contiguous or --format channels_last")
    return args


def height_width(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    return int(height), int(width)


if __name__ == "__main__":
    main()
