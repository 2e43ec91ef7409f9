"""A training step on one device and on several, in turns: what `--devices N` gains.

    python3 bench/scaling.py                                          the CPU's devices, which share its cores
    python3 bench/scaling.py --backend cuda --devices 1,2,4,8 --batch 64 --size 320x320 --encoder vgg16 --width 64 --head 4096

The batch is the same for all: it is that of all devices together. Each number of devices is a process of its own (`fcnx bench
--server`), and they are asked in turns as in compare.py. Prints a table; --doc writes it into a page.
"""

import argparse
import json
from datetime import datetime, timezone
from pathlib import Path

import page
from commands import HERE, NET, net
from compare import machine, note
from sides import Side, in_turns
from tables_markdown import markdown, percent


def main() -> None:
    args = parse()
    sides = [Side(str(devices), command(args, devices), ("train",)) for devices in args.devices]
    for side in sides:
        note(f"devices {side.name}: starting")
        side.start()
    for side in sides:
        side.ask("train", args.warmup)
        side.seconds.clear()
    in_turns(sides, args.rounds, {"train": args.steps}, note)
    for side in sides:
        side.stop()
    report = {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "backend": args.backend,
        "net": {key: getattr(args, key) for key in NET},
        "batch": args.batch,
        "size": args.size,
        "rounds": args.rounds,
        "steps": args.steps,
        "sides": {side.name: side.summary() for side in sides},
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=2) + "\n")
    print(table(report))
    if args.doc:
        page.write(args.doc, args.out.stem, table(report))


def command(args: argparse.Namespace, devices: int) -> list[str]:
    words = ["--size", args.size, "--batch", str(args.batch), "--devices", str(devices)]
    return [args.fcnx, "bench", "--server", "--backend", args.backend, "--only", "train", *net(args), *words]


def table(report: dict) -> str:
    """A row each number of devices; the first is what the others are held to."""
    net, machine = report["net"], report["machine"]
    first = min(report["sides"], key=int)
    single = report["sides"][first]["median"]["train"]
    rows = []
    for name, side in report["sides"].items():
        took, times = side["median"]["train"], single / side["median"]["train"]
        rows.append([name, f"{took:.3f} ({side['min']['train']:.3f})", f"{report['batch'] / took:.4g}", f"{times:.2f}x", percent(times * int(first) / int(name))])
    limits = (
        f"What limits it: devices of the CPU share its {machine['cores']} cores, so there is nothing to gain; what it loses is what splitting the batch and adding the gradients cost."
        if report["backend"] == "cpu"
        else "What limits it: what is missing to 100% is adding the gradients, and images too few for each device to be busy."
    )
    return (
        f"{net['arch']} {net['encoder']}, width {net['width']}, head {net['head']}, {net['classes']} classes, batch {report['batch']} of {report['size']} for all devices together, "
        f"{report['backend']}, {machine['cores']} cores of {machine['cpu']}, {report['date'][:10]}; medians of {report['rounds']} rounds of {report['steps']} steps in turns, the fastest in brackets.\n\n"
        + markdown(["devices", "training step, s", "images/s", f"times {first} device", "of so many times"], rows)
        + f"\n\n{limits}"
    )


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fcnx", default="bin/fcnx", help="the program to measure")
    parser.add_argument("--backend", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--devices", type=counts, default="1,2,4", metavar="N,...", help="how many, in turns (1,2,4)")
    parser.add_argument("--arch", default="fcn8s")
    parser.add_argument("--encoder", default="vgg16_bn")
    parser.add_argument("--classes", type=int, default=11)
    parser.add_argument("--width", type=int, default=16, help="channels of the first stage")
    parser.add_argument("--head", type=int, default=512, help="channels of fc6 and fc7")
    parser.add_argument("--size", default="192x256", metavar="HxW")
    parser.add_argument("--batch", type=int, default=8, help="images a step, of all devices together; each number of devices divides it")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=2, help="of each, each round")
    parser.add_argument("--warmup", type=int, default=1, help="steps that do not count, after the first")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "scaling.json")
    parser.add_argument("--doc", type=Path, help="a page; what is between the markers of --out's name becomes the table")
    args = parser.parse_args(words)
    if min(args.rounds, args.steps, args.warmup, args.batch) < 1:
        parser.error("--rounds, --steps, --warmup and --batch are at least 1")
    if odd := [n for n in args.devices if args.batch % n]:
        parser.error(f"--batch {args.batch} cannot be shared among {odd[0]} devices: each number of --devices must divide it")
    if args.doc:
        page.check(args.doc, args.out.stem)
    return args


def counts(text: str) -> list[int]:
    found = sorted({int(word) for word in text.split(",")})
    if found[0] < 1:
        raise ValueError(text)
    return found


if __name__ == "__main__":
    main()
