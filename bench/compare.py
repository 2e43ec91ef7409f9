"""fcnx against PyTorch, turn by turn, on the same net and the same machine.

    python bench/compare.py                                    the shapes of docs/benchmarks.md
    python bench/compare.py --size 320x320 --batch 4           one shape
    python bench/compare.py --doc docs/benchmarks.md           and its tables into the page
    python bench/compare.py --device cuda                      on an NVIDIA GPU

Each side is a process that waits on its stdin for a mode and a number, as in "train 3", and answers with the
seconds of each step (sides.py, commands.py). They are asked in turns. Prints Markdown (tables.py); every number
that was measured goes to --out. What lay there before is kept beside it, as NAME-before.json: the page
says how far the ratios of the two runs are apart.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import commands
import cores
import page
import tables
from commands import HERE, NET, PARTS, STEPS
from sides import in_turns, pool, product

# What is measured where nobody says: of each device, batches and sizes, the precisions of each, and the file's name.
SHAPES = {
    "cpu": ("1x224x224,1x320x320,1x512x512:inference,4x320x320:train", "float32", "latest"),
    "cuda": ("1x320x320,8x320x320,32x320x320", "float32,bfloat16", "cuda"),
}
# Modes with more turns than one in a round: a step of inference is so short that one slow second is all of a turn.
OFTEN = {"infer": 3}
# How often the parts of a run have their turn.
TURNS = {"data": 3, "infer": 1, "eval": 1, "checkpoint_save": 1, "checkpoint_disk": 1, "checkpoint_load": 1, "update": 2, "dashboard": 3}


def main() -> None:
    args = parse()
    before = kept(args.out)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    report = {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "net": {key: getattr(args, key) for key in NET},
        "rounds": args.rounds,
        "often": OFTEN,
        "warmup": args.warmup,
        "cases": [compare(args, *shape, precision) for precision in args.precision for shape in args.shapes],
    }
    if args.parts:
        report["parts"] = parts(args)
    if before:
        beside(args.out).write_text(json.dumps(before, indent=2) + "\n")
    args.out.write_text(json.dumps(report, indent=2) + "\n")
    text = tables.page(report, before)
    print(text)
    if args.doc:
        page.write(args.doc, args.out.stem, text)


def compare(args: argparse.Namespace, shape: tuple[int, int, int], only: list[str], precision: str) -> dict:
    """Times all sides on one shape, [N,H,W]: the processes are its own, and so is their memory."""
    batch, height, width = shape
    sides = commands.of_steps(args, shape, only, precision)
    modes = commands.modes(only)
    for side in sides:
        note(f"{batch}x{height}x{width} {precision}: {side.name}: starting")
        side.start()
    for side in sides:
        for mode in modes:
            side.ask(mode, args.warmup)
    steps = {mode: fitting(args.turn, min(min(side.seconds[mode]) for side in sides)) for mode in modes}
    for side in sides:
        side.seconds.clear()
    rounds = in_turns(sides, args.rounds, steps | {"product": 3}, note, OFTEN, cores.apart if args.device == "cpu" else lambda: False)
    pooled = {mode: how for mode in modes if (how := pool(sides, mode))}
    for side in sides:
        side.stop()
    return {
        "batch": batch,
        "height": height,
        "width": width,
        "precision": precision,
        "device": args.device,
        "steps": steps,
        "rounds": {mode: rounds[mode] for mode in modes},
        "pooled": pooled,
        "multiply_adds": {mode: sides[0].ready["multiply_adds"][mode] for mode in modes},
        "product_flops": product(sides),
        "gpu": sides[1].ready.get("device", ""),
        "versions": {"fcnx": sides[0].ready["versions"], "torch": sides[1].ready["torch"]},
        "sides": {side.name: side.summary() for side in sides},
    }


def fitting(turn: float, step: float) -> int:
    """How many steps fit into a turn, in seconds: few where the median needs no more, and one at least."""
    return max(1, min(5, int(turn / step)))


def parts(args: argparse.Namespace) -> dict:
    """What a run is made of beside its steps."""
    with tempfile.TemporaryDirectory(prefix="parts-", dir=args.out.parent) as folder:
        data = args.data
        if not data and {"data", "eval"} & set(args.parts):
            import pictures  # its needs are those of PyTorch's side

            data = pictures.draw(Path(folder) / "pictures", args.classes)
        sides = commands.of_parts(args, data, folder)
        for side in sides:
            note(f"{', '.join(args.parts)}: {side.name}: starting")
            side.start()
        in_turns(sides, args.rounds, TURNS, note)
        for side in sides:
            side.stop()
    return {
        "data": args.data or "drawn JPEG files of 480x360",
        "batch": commands.BATCH,
        "crop": commands.CROP,
        "size": commands.SIZE,
        "sides": {side.name: side.summary() for side in sides},
    }


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
    return {"cpu": cpu(Path("/proc/cpuinfo").read_text()), "cores": len(os.sched_getaffinity(0)), "load_before": os.getloadavg()[0]}


def cpu(info: str) -> str:
    """The name of the first processor in /proc/cpuinfo, with family and model: a virtual machine's name may be that of two
    generations, of which one multiplies twice as fast."""
    lines = (line.partition(":") for line in info.partition("\n\n")[0].splitlines())
    first = {key.strip(): value.strip() for key, _, value in lines}
    name = first.get("model name") or platform.processor() or platform.machine()
    kind = ", ".join(f"{key.removeprefix('cpu ')} {first[key]}" for key in ("cpu family", "model") if key in first)
    return f"{name} ({kind})" if kind else name


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fcnx", default="bin/fcnx", help="the program to measure")
    parser.add_argument("--arch", default="fcn8s")
    parser.add_argument("--encoder", default="vgg16")
    parser.add_argument("--classes", type=int, default=21)
    parser.add_argument("--width", type=int, default=64, help="channels of the first stage")
    parser.add_argument("--head", type=int, default=4096, help="channels of fc6 and fc7")
    parser.add_argument("--device", choices=[*SHAPES], default="cpu")
    parser.add_argument("--shapes", metavar="NxHxW[:PART],...", help=f"batches and sizes, perhaps of inference or train only ({SHAPES['cpu'][0]})")
    parser.add_argument("--size", metavar="HxW", help="one shape only, of this size")
    parser.add_argument("--batch", type=int, help="one shape only, of so many images")
    parser.add_argument("--precision", help="float32, bfloat16, or both by a comma")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--turn", type=float, default=1, metavar="SECONDS", help="a turn has as many steps of the fastest side as fit, 1 to 5 (1)")
    parser.add_argument("--warmup", type=int, default=1, help="steps that do not count, after the first")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True, help="torch.compile too; needs a C++ compiler")
    parser.add_argument("--parts", default=",".join(PARTS), metavar="PART,...", help=f"of a run, beside its steps ({','.join(PARTS)}); or none")
    parser.add_argument("--data", metavar="SPEC", help="folder:DIR or camvid:DIR, of data and eval; without it, drawn JPEG files")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes of PyTorch's loader, beside none")
    parser.add_argument("--out", type=Path, help="(bench/results/latest.json, or cuda.json)")
    parser.add_argument("--doc", type=Path, help="a page; what is between the markers of --out's name becomes the tables")
    args = parser.parse_args(words)
    default = SHAPES[args.device]
    if args.size is not None or args.batch is not None:
        if args.shapes is not None:
            parser.error("--shapes says every batch and size: leave out --size and --batch")
        if args.batch is not None and args.batch < 1:
            parser.error(f"--batch {args.batch}: at least 1 image")
        args.shapes = f"{1 if args.batch is None else args.batch}x{'320x320' if args.size is None else args.size}"
    args.out = args.out or HERE / "results" / f"{default[2]}.json"
    try:
        args.shapes = shapes(default[0] if args.shapes is None else args.shapes)
        args.precision = known("--precision", args.precision or default[1], ["float32", "bfloat16"])
        args.parts = [] if args.parts == "none" else known("--parts", args.parts, PARTS)
    except ValueError as err:
        parser.error(str(err))
    if min(args.rounds, args.warmup) < 1:
        parser.error("--rounds and --warmup are at least 1")
    if args.doc:
        page.check(args.doc, args.out.stem)
    if args.device == "cuda":
        check_cuda()
    return args


def check_cuda() -> None:
    """Ends where there is no GPU, before either side says so in its own words."""
    asked = subprocess.run([sys.executable, "-c", "import torch; raise SystemExit(0 if torch.cuda.is_available() else 9)"], check=False)
    if asked.returncode == 9:
        raise SystemExit("compare.py: --device cuda: PyTorch finds no NVIDIA GPU on this machine; leave --device out to measure the CPU")
    if asked.returncode:
        raise SystemExit("compare.py: --device cuda: PyTorch does not start; its words are above")


def shapes(text: str) -> list[tuple[tuple[int, int, int], list[str]]]:
    """Batch, height and width of each, and what is measured of it."""
    found = []
    for word in text.split(","):
        shape, _, only = word.partition(":")
        try:
            numbers = tuple(int(number) for number in shape.split("x"))
        except ValueError:
            numbers = ()
        if len(numbers) != 3 or min(numbers) < 1:
            raise ValueError(f"--shapes: {word!r} is not NxHxW, as in 1x320x320")
        found.append((numbers, known("--shapes", only, STEPS) if only else [*STEPS]))
    return found


def known(flag: str, text: str, there) -> list[str]:
    found = text.split(",")
    for word in found:
        if word not in there:
            raise ValueError(f"{flag}: there is no {word!r}; there are {', '.join(there)}")
    return found


if __name__ == "__main__":
    main()
