"""fcnx against PyTorch, turn by turn, on the same net and the same machine.

    python bench/compare.py --rounds 6 --out bench/results/latest.json

Each side is a process that waits on its stdin for "infer N" or "train N" and
answers with the seconds of each step. They are asked in turns, so a slow minute
of the machine hits all of them alike, and while one computes the others sleep.
Prints a Markdown table of medians; every number that was measured goes to --out.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).parent
MODES = {"infer": "inference", "train": "training step"}


@dataclass
class Side:
    """One process under test, and what it said."""

    name: str
    command: list[str]
    ready: dict = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    peak_rss_bytes: int = 0

    def start(self) -> None:
        try:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
        except OSError as err:
            raise SystemExit(f"compare.py: {self.name} does not start: {err}") from err
        self.ready = self.read("getting ready")
        if not self.ready.get("ready"):
            raise SystemExit(f"compare.py: {self.name} began with {self.ready}, not with a ready line")

    def ask(self, mode: str, steps: int) -> list[float]:
        """The seconds of each of so many steps."""
        try:
            print(f"{mode} {steps}", file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # it has ended: read says how
        answer = self.read(f"{mode} {steps}")
        if answer.get("mode") != mode or len(answer.get("seconds", ())) != steps:
            raise SystemExit(f"compare.py: {self.name} answered {mode} {steps} with {answer}")
        self.peak_rss_bytes = answer["peak_rss_bytes"]
        return answer["seconds"]

    def read(self, doing: str) -> dict:
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise SystemExit(f"compare.py: {self.name} ended with exit code {code} while {doing}; its words are above")
        try:
            return json.loads(line)
        except json.JSONDecodeError:
            raise SystemExit(f"compare.py: {self.name} answered {line.strip()!r}: not a line of JSON") from None

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def main() -> None:
    args = parse()
    shape = ["--arch", args.arch, "--encoder", args.encoder, "--classes", str(args.classes)]
    shape += ["--size", args.size, "--batch", str(args.batch)]
    shape += ["--width", str(args.width), "--head", str(args.head)]
    torch = [sys.executable, str(HERE / "torch" / "bench.py"), "--server", *shape]
    sides = [
        Side("fcnx", [args.fcnx, "bench", "--server", *shape]),
        Side("PyTorch contiguous", [*torch, "--format", "contiguous"]),
        Side("PyTorch channels_last", [*torch, "--format", "channels_last"]),
    ]
    if args.compile:
        sides.append(Side("PyTorch compiled", [*torch, "--format", "channels_last", "--compile"]))

    for side in sides:
        note(f"{side.name}: starting")
        side.start()
    measure(sides, args)
    for side in sides:
        side.stop()

    report = {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "net": {k: getattr(args, k) for k in ("arch", "encoder", "width", "head", "classes", "size", "batch")},
        "rounds": args.rounds,
        "steps": args.steps,
        "warmup": args.warmup,
        "sides": {s.name: summary(s) for s in sides},
        "speedup": {mode: speedup(sides, mode) for mode in MODES},
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=2) + "\n")
    print(table(report))


def measure(sides: list[Side], args: argparse.Namespace) -> None:
    """Warm up, then rounds: each side in turn, with the order turned around every other round."""
    for mode in MODES:
        for side in sides:
            note(f"{side.name}: warming up, {MODES[mode]}")
            side.ask(mode, args.warmup)
            side.seconds[mode] = []
    for i in range(args.rounds):
        for mode in MODES:
            for side in sides if i % 2 == 0 else reversed(sides):
                seconds = side.ask(mode, args.steps)
                side.seconds[mode] += seconds
                note(f"round {i + 1}/{args.rounds}: {side.name}, {MODES[mode]}: {min(seconds):.3f} s")


def summary(side: Side) -> dict:
    return {
        "ready": side.ready,
        "seconds": side.seconds,
        "median": {mode: statistics.median(side.seconds[mode]) for mode in MODES},
        "min": {mode: min(side.seconds[mode]) for mode in MODES},
        "peak_rss_bytes": side.peak_rss_bytes,
    }


def speedup(sides: list[Side], mode: str) -> dict:
    """How many times faster fcnx, the first side, is than the best of the others."""
    ours, *others = sides
    return {
        of.__name__: round(min(of(s.seconds[mode]) for s in others) / of(ours.seconds[mode]), 3)
        for of in (statistics.median, min)
    }


def table(report: dict) -> str:
    """The report in Markdown: a row each side, medians with the fastest step in brackets."""
    net, (first, *_) = report["net"], report["sides"]
    lines = [
        f"{net['arch']} {net['encoder']}, width {net['width']}, head {net['head']}, {net['classes']} classes, batch {net['batch']} at {net['size']}, float32, "
        f"{report['machine']['cores']} cores of {report['machine']['cpu']}; "
        f"medians of {report['rounds']} x {report['steps']} steps in turns (fastest in brackets)",
        "",
        "| | inference, s | training step, s | peak RSS, GB |",
        "| --- | --- | --- | --- |",
    ]
    for name, side in report["sides"].items():
        cells = [f"{side['median'][m]:.3f} ({side['min'][m]:.3f})" for m in MODES]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {side['peak_rss_bytes'] / 1e9:.2f} |")
    faster = [f"{report['speedup'][m]['median']:.2f}x ({report['speedup'][m]['min']:.2f}x)" for m in MODES]
    lines.append(f"| **{first} over the best PyTorch** | **{faster[0]}** | **{faster[1]}** | |")
    return "\n".join(lines)


def machine() -> dict:
    """What the numbers hold for."""
    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "load_before": os.getloadavg()[0]}


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fcnx", default="bin/fcnx", help="the program to measure")
    parser.add_argument("--arch", default="fcn8s")
    parser.add_argument("--encoder", default="vgg16")
    parser.add_argument("--classes", type=int, default=21)
    parser.add_argument("--width", type=int, default=64, help="channels of the first stage")
    parser.add_argument("--head", type=int, default=4096, help="channels of fc6 and fc7")
    parser.add_argument("--size", default="320x320", metavar="HxW")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=3, help="of each mode and side, each round")
    parser.add_argument("--warmup", type=int, default=2, help="steps that do not count")
    parser.add_argument("--compile", action="store_true", help="measure torch.compile too")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "latest.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
