"""fcnx against PyTorch, turn by turn, on the same net and the same machine.

    python bench/compare.py                                    the shapes of docs/benchmarks.md
    python bench/compare.py --size 320x320 --batch 4           one shape
    python bench/compare.py --doc docs/benchmarks.md           and its tables into the page

Each side is a process that waits on its stdin for "infer N" or "train N" and answers with the
seconds of each step (sides.py). They are asked in turns. Prints Markdown (tables.py); every number
that was measured goes to --out. What lay there before is kept beside it, as NAME-before.json: the page
says how far the ratios of the two runs are apart.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import page
import tables
from sides import Side, in_turns, product

HERE = Path(__file__).parent
SHAPES = "1x224x224,1x320x320,1x512x512,4x320x320"
NET = ("arch", "encoder", "width", "head", "classes")


def main() -> None:
    args = parse()
    before = kept(args.out)
    report = {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "net": {key: getattr(args, key) for key in NET},
        "rounds": args.rounds,
        "steps": args.steps,
        "warmup": args.warmup,
        "cases": [compare(args, shape, precision) for precision in args.precision for shape in args.shapes],
    }
    if args.parts:
        report["parts"] = parts(args)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    if before:
        beside(args.out).write_text(json.dumps(before, indent=2) + "\n")
    args.out.write_text(json.dumps(report, indent=2) + "\n")
    text = tables.page(report, before)
    print(text)
    if args.doc:
        page.write(args.doc, args.out.stem, text)


def compare(args: argparse.Namespace, shape: tuple[int, int, int], precision: str) -> dict:
    """Times all sides on one shape, [N,H,W]: the processes are its own, and so is their memory."""
    batch, height, width = shape
    net = [word for key in NET for word in (f"--{key}", str(getattr(args, key)))]
    net += ["--size", f"{height}x{width}", "--batch", str(batch), "--precision", precision]
    torch = [sys.executable, str(HERE / "torch" / "bench.py"), "--server", *net]
    sides = [
        Side("fcnx", [args.fcnx, "bench", "--server", *net]),
        Side("PyTorch contiguous", [*torch, "--format", "contiguous"]),
        Side("PyTorch channels_last", [*torch, "--format", "channels_last"]),
    ]
    if args.compile:
        sides.append(Side("PyTorch compiled", [*torch, "--format", "channels_last", "--compile"]))
    for side in sides:
        note(f"{batch}x{height}x{width} {precision}: {side.name}: starting")
        side.start()
    for side in sides:
        for mode in tables.MODES:
            side.ask(mode, args.warmup)
        side.seconds.clear()
    in_turns(sides, args.rounds, args.steps, note)
    for side in sides:
        side.stop()
    return {
        "batch": batch,
        "height": height,
        "width": width,
        "precision": precision,
        "multiply_adds": {mode: sides[0].ready["multiply_adds"][mode] for mode in tables.MODES},
        "product_flops": product(sides),
        "versions": {"fcnx": sides[0].ready["versions"], "torch": sides[1].ready["torch"]},
        "sides": {side.name: side.summary() for side in sides},
    }


def parts(args: argparse.Namespace) -> dict:
    """What `fcnx bench --json` says of everything else that a run is made of."""
    note("fcnx bench: every part of a run")
    command = [args.fcnx, "bench", "--json", "--rounds", str(args.rounds), "--out", str(args.out.parent)]
    if args.recipe:
        command += ["--config", args.recipe]
    else:
        command += [word for key in NET for word in (f"--{key}", str(getattr(args, key)))]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"compare.py: fcnx bench ended with exit code {done.returncode}; its words are above")
    return json.loads(done.stdout)


def kept(out: Path) -> dict | None:
    """The report that lies where this one will, or None. One of an older kind is nothing to compare with."""
    try:
        report = json.loads(out.read_text())
    except FileNotFoundError:
        return None
    except json.JSONDecodeError as err:
        raise SystemExit(f"compare.py: {out} is no report ({err}); remove it, or name another --out") from None
    return report if "cases" in report else None


def beside(out: Path) -> Path:
    return out.with_name(f"{out.stem}-before{out.suffix}")


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
    parser.add_argument("--shapes", type=shapes, default=SHAPES, metavar="NxHxW,...", help=f"batches and sizes ({SHAPES})")
    parser.add_argument("--size", metavar="HxW", help="one shape only, of this size")
    parser.add_argument("--batch", type=int, help="one shape only, of so many images")
    parser.add_argument("--precision", type=precisions, default="float32", help="float32, bfloat16, or both by a comma")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=2, help="of each mode and side, each round")
    parser.add_argument("--warmup", type=int, default=2, help="steps that do not count, after the first")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True, help="torch.compile too; needs a C++ compiler")
    parser.add_argument("--parts", action=argparse.BooleanOptionalAction, default=True, help="the other parts of a run too, of fcnx alone")
    parser.add_argument("--recipe", help="a configuration whose parts are timed, in place of the net")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "latest.json")
    parser.add_argument("--doc", type=Path, help="a page; what is between the markers of --out's name becomes the tables")
    args = parser.parse_args()
    if min(args.rounds, args.steps, args.warmup) < 1:
        parser.error("--rounds, --steps and --warmup are at least 1")
    if args.size or args.batch:
        args.shapes = shapes(f"{args.batch or 1}x{args.size or '320x320'}")
    if args.doc:
        page.check(args.doc, args.out.stem)
    return args


def shapes(text: str) -> list[tuple[int, int, int]]:
    """Batch, height and width of each."""
    found = [tuple(int(number) for number in shape.split("x")) for shape in text.split(",")]
    if any(len(shape) != 3 or min(shape) < 1 for shape in found):
        raise ValueError(text)
    return found


def precisions(text: str) -> list[str]:
    found = text.split(",")
    if not set(found) <= {"float32", "bfloat16"}:
        raise ValueError(text)
    return found


if __name__ == "__main__":
    main()
