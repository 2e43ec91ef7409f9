"""Time FCN in PyTorch: inference, the training step, and what else a run is made of.

    python bench.py --size 320x320 --steps 5               both modes, both memory formats
    python bench.py --server --format channels_last        answer "infer N" and "train N" on stdin
    python bench.py --server --format channels_last --only data,eval,checkpoint --data folder:DIR

Each result is one JSON line on stdout: {"mode","format","seconds":[...],"peak_rss_bytes"}, and "device_bytes" on a GPU.
The peak is the process's meanwhile, so a server has one format only. Its first line is as that of
`fcnx bench --server`: each mode has run once, and what that took, compilation included. Modes and --only are those of
fcnx too; "product N" multiplies two large matrices, in the precision of the net.
"""

import argparse
import json
import os
import resource
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Callable, Iterator

import torch
from torch import Tensor

from fcn import FCN, cross_entropy, parameter_groups
from parts import Checkpoint, Evaluation, Pipeline

UPDATE = 32  # rows and columns of images on which a step is little more than its weights
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
# What --only names, and the modes of each.
PARTS = {
    "inference": ("infer",),
    "train": ("train",),
    "update": ("update",),
    "data": ("data",),
    "eval": ("eval",),
    "checkpoint": ("checkpoint_save", "checkpoint_load"),
}


class Bench:
    """One net with its batch and its optimiser, in one memory format, on one device."""

    def __init__(self, args: argparse.Namespace, memory_format: str, stack: ExitStack):
        torch.manual_seed(args.seed)
        self.format, self.layout = memory_format, FORMATS[memory_format]
        self.device = torch.device(args.device)
        self.model = FCN(args.arch, args.encoder, args.classes, args.width, args.head, args.upsample)
        self.model.to(device=self.device, memory_format=self.layout)
        self.batch = self.noise(args.batch, *args.size, args.classes)
        self.small = self.noise(1, UPDATE, UPDATE, args.classes)
        self.precision = getattr(torch, args.precision)
        groups = parameter_groups(self.model, lr=1e-4, weight_decay=5e-4, bias_lr=2.0)
        self.optimizer = torch.optim.SGD(groups, momentum=0.9, fused=True)
        self.forward: Callable[[Tensor], Tensor] = torch.compile(self.model) if args.compile else self.model
        self.matrices: Tensor | None = None
        # One run of each mode; one that counts a part of its time only returns it, in seconds.
        self.runs: dict[str, Callable[[], float | None]] = {
            "infer": self.infer,
            "train": lambda: self.train(*self.batch),
            "update": lambda: self.train(*self.small),
            "product": self.product,
        }
        self.amounts = {"infer": args.batch, "train": args.batch, "update": 1}
        if "data" in args.only:
            pipeline = Pipeline(args.data, args.batch, args.crop, args.workers)
            self.runs["data"], self.amounts["data"] = pipeline.run, pipeline.images
        if "eval" in args.only:
            evaluation = Evaluation(args.data, args.batch, args.workers, args.classes, self.device, self.layout)
            self.amounts["eval"] = evaluation.images
            self.runs["eval"] = lambda: self.scored(evaluation)
        if "checkpoint" in args.only:
            self.train(*self.small)  # the optimiser makes its slots in a step
            kept = stack.enter_context(Checkpoint(args.out, self.model, self.optimizer))
            kept.save()
            self.runs["checkpoint_save"], self.runs["checkpoint_load"] = kept.save, kept.load
            self.amounts["checkpoint_save"] = self.amounts["checkpoint_load"] = kept.path.stat().st_size

    def noise(self, n: int, height: int, width: int, classes: int) -> tuple[Tensor, Tensor]:
        """Images [n,3,height,width], normalised, and their labels, on the device already."""
        images = torch.randn(n, 3, height, width, device=self.device).to(memory_format=self.layout)
        return images, torch.randint(classes, (n, height, width), device=self.device)

    def mixed(self) -> torch.autocast:
        """In bfloat16, if that is asked for; the weights stay float32."""
        return torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)

    def infer(self) -> None:
        """Images [N,3,H,W] -> logits [N,C,H,W]."""
        self.model.eval()
        with torch.inference_mode(), self.mixed():
            self.forward(self.batch[0])

    def train(self, images: Tensor, labels: Tensor) -> None:
        """One step: forward with dropout, mean cross-entropy, backward, SGD with momentum and decay."""
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        with self.mixed():
            loss = cross_entropy(self.forward(images), labels)
        loss.backward()
        self.optimizer.step()
        loss.item()

    def scored(self, evaluation: Evaluation) -> None:
        self.model.eval()
        with torch.inference_mode(), self.mixed():
            evaluation.run(self.forward)

    def product(self) -> None:
        """[n,n] times [n,n]. The matrices go again after a turn, for they are nothing of the net's memory."""
        if self.matrices is None:
            self.matrices = torch.randn(2, self.rows, self.rows, device=self.device).to(self.precision)
        torch.mm(*self.matrices)

    @property
    def rows(self) -> int:
        """Of the matrices: so many that starting a product costs nothing beside it."""
        return 8192 if self.device.type == "cuda" else 2048

    def time(self, mode: str, steps: int) -> dict:
        """The seconds of each of so many steps, as the JSON line to print."""
        seconds = []
        forget_peak()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        for _ in range(steps):
            self.wait()
            start = time.perf_counter()
            took = self.runs[mode]()
            self.wait()
            seconds.append(round(took or time.perf_counter() - start, 6))
        result = {"mode": mode, "format": self.format, "seconds": seconds, "peak_rss_bytes": peak_rss()}
        if mode == "checkpoint_save":
            result["still_seconds"] = seconds  # training would stand still for all of it
        if self.device.type == "cuda":
            result["device_bytes"] = torch.cuda.max_memory_allocated()
        if mode == "product":
            result["multiply_adds"], self.matrices = self.rows**3, None
        return result

    def wait(self) -> None:
        """Until the device has done all that it was given: a GPU's calls return before."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def main() -> None:
    args = parse()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    if args.device == "cuda":
        prepare_cuda()
    with ExitStack() as stack:
        if args.server:
            serve(args, stack)
            return
        for memory_format in FORMATS if args.format == "both" else [args.format]:
            bench = Bench(args, memory_format, stack)
            for mode in modes(args.only):
                bench.time(mode, args.warmup)
                say(bench.time(mode, args.steps))


def prepare_cuda() -> None:
    """What who wants speed writes: the fastest convolutions are looked for, and float32 products may be TF32."""
    if not torch.cuda.is_available():
        sys.exit("bench.py: --device cuda: PyTorch finds no NVIDIA GPU on this machine; leave --device out to measure the CPU")
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")


def serve(args: argparse.Namespace, stack: ExitStack) -> None:
    start = time.perf_counter()
    bench = Bench(args, args.format, stack)
    setup = round(time.perf_counter() - start, 3)
    first = {mode: bench.time(mode, 1) for mode in modes(args.only)}
    ready = {
        "ready": True,
        "setup_seconds": setup,
        "compile_seconds": {mode: f["seconds"][0] for mode, f in first.items()},
        "peak_rss_bytes": {mode: f["peak_rss_bytes"] for mode, f in first.items()},
        "amounts": {mode: bench.amounts[mode] for mode in first},
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "compiled": args.compile,
    }
    if args.device == "cuda":
        ready["device_bytes"] = {mode: f["device_bytes"] for mode, f in first.items()}
        ready["device"] = torch.cuda.get_device_name()
    say(ready)
    for mode, steps in commands([*first, "product"]):
        say(bench.time(mode, steps))


def modes(parts: list[str]) -> list[str]:
    return [mode for part in parts for mode in PARTS[part]]


def commands(known: list[str]) -> Iterator[tuple[str, int]]:
    """The lines "MODE N" of stdin, until it ends."""
    for line in sys.stdin:
        mode, _, steps = line.strip().partition(" ")
        if mode not in known or not steps.isdigit() or int(steps) < 1:
            sys.exit(f"bench.py: {line.strip()!r} is no command: write a mode and how often, as in \"{known[0]} 3\"; the modes are {', '.join(known)}")
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


def parse(words: list[str] | None = None) -> argparse.Namespace:
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
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--only", type=parts, default="inference,train", metavar="PART,...", help=f"time only these: {', '.join(PARTS)}")
    parser.add_argument("--data", metavar="SPEC", help="folder:DIR or camvid:DIR, of data and eval")
    parser.add_argument("--crop", type=height_width, default=(320, 320), metavar="HxW", help="of data, which is mirrored half of the time")
    parser.add_argument("--workers", type=int, default=0, help="processes of the DataLoader; 0: none but this one")
    parser.add_argument("--out", type=Path, default=Path("."), help="checkpoints are written below this folder, and removed again")
    parser.add_argument("--server", action="store_true", help="answer commands on stdin; needs one --format")
    args = parser.parse_args(words)
    if not args.data and {"data", "eval"} & set(args.only):
        parser.error("data and eval need --data")
    if args.server and args.format == "both":
        parser.error("--server needs --format contiguous or --format channels_last")
    return args


def height_width(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    return int(height), int(width)


def parts(text: str) -> list[str]:
    found = text.split(",")
    if not set(found) <= set(PARTS):
        raise ValueError(text)
    return found


if __name__ == "__main__":
    main()
