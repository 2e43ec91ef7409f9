"""A whole run of fcnx against its twin in PyTorch, in turns.

    python bench/twins.py --data ../shared/camvid --epochs 40 --doc docs/benchmarks.md

Both train recipes/camvid-narrow.toml on CamVid and score it on the validation images as they go, with nothing but their
time compared: each runs for --slice seconds while the other is stopped (SIGSTOP), so a slow minute of the machine falls
on both. The time is all of a program's own, from its start to its end: compilation, data, evaluations, checkpoints.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import page
from compare import machine, note
from tables_markdown import markdown, percent

HERE = Path(__file__).parent


@dataclass
class Runner:
    """A program, with the processes that it starts, which runs a slice at a time."""

    name: str
    command: list[str]
    log: Path  # its stdout
    seconds: float = 0.0  # that it ran
    process: subprocess.Popen | None = field(default=None, repr=False)

    def run(self, seconds: float) -> bool:
        """Lets it run so long, and tells whether it has ended. A failure ends this program too."""
        began = time.monotonic()
        if self.process is None:
            with self.log.open("w") as out:
                self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, start_new_session=True)
        else:
            os.killpg(self.process.pid, signal.SIGCONT)
        try:
            code = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGSTOP)
            self.seconds += time.monotonic() - began
            return False
        self.seconds += time.monotonic() - began
        if code:
            raise SystemExit(f"twins.py: {self.name} ended with exit code {code}; its words are above")
        return True

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def in_slices(runners: list[Runner], seconds: float) -> None:
    """Runs all to their end, a slice each in turn. Whatever happens, none is left behind."""
    going = list(runners)
    try:
        while going:
            going = [runner for runner in going if not runner.run(seconds)]
            note(", ".join(f"{runner.name} {runner.seconds:.0f} s" for runner in runners))
    finally:
        for runner in runners:
            runner.kill()


def evaluations(lines: list[str]) -> list[dict]:
    """Those of events.jsonl, which names classes, or of bench/torch/train.py, which counts them."""
    said = [json.loads(line) for line in lines]
    return [{key: s[key] for key in ("step", "mean_iou", "pixel_accuracy", "class_iou")} for s in said if "mean_iou" in s and s.get("kind", "eval") == "eval"]


def waits(lines: list[str]) -> dict[str, float]:
    """The seconds that all steps of events.jsonl took, and that they waited for data, by medians: a step that was stopped in
    between tells nothing, and a few records may be missing."""
    steps = [said for said in map(json.loads, lines) if said.get("kind") == "step"]
    return {key: steps[-1]["step"] * statistics.median(said[key] for said in steps) / 1000 for key in ("step_ms", "data_ms")}


def main() -> None:
    args = parse()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        run = out / "fcnx"
        fcnx = [args.fcnx, "train", "--config", args.recipe, "--data", f"camvid:{args.data}", "--epochs", str(args.epochs), "--seed", str(args.seed)]
        ours = Runner("fcnx", [*fcnx, "--ui", "none", "--out", folder, "--name", "fcnx"], out / "fcnx.out")
        twin = [sys.executable, str(HERE / "torch" / "train.py"), str(run / "config.toml"), "--format", args.format]
        theirs = Runner(f"PyTorch {args.format}", twin, out / "twin.out")
        # The first slice of fcnx writes the configuration that the twin reads.
        in_slices([ours, theirs], args.slice)
        report = {
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "machine": machine(),
            "recipe": args.recipe,
            "epochs": args.epochs,
            "seed": args.seed,
            "waits": waits((run / "events.jsonl").read_text().splitlines()),
            "sides": {
                ours.name: {"seconds": ours.seconds, "evaluations": evaluations((run / "events.jsonl").read_text().splitlines())},
                theirs.name: {"seconds": theirs.seconds, "evaluations": evaluations(theirs.log.read_text().splitlines())},
            },
        }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=2) + "\n")
    print(table(report))
    if args.doc:
        page.write(args.doc, args.out.stem, table(report))


def table(report: dict) -> str:
    """The first side is fcnx."""
    rows = []
    for name, side in report["sides"].items():
        scores = [e["mean_iou"] for e in side["evaluations"]]
        last = side["evaluations"][-1]
        rows.append([name, f"{side['seconds']:.0f}", f"{max(scores):.3f}", f"{last['mean_iou']:.3f}", f"{last['pixel_accuracy']:.3f}"])
    ours, theirs = report["sides"].values()
    best = [100 * max(e["mean_iou"] for e in side["evaluations"]) for side in (ours, theirs)]
    return (
        f"`{report['recipe']}`, {report['epochs']:g} epochs, seed {report['seed']}, in turns on {report['machine']['cores']} cores of {report['machine']['cpu']}, {report['date'][:10]}:\n\n"
        + markdown(["", "seconds, all in all", "val mIoU, best", "val mIoU, last", "pixel accuracy, last"], rows)
        + f"\n\nfcnx is {theirs['seconds'] / ours['seconds']:.2f} times as fast; its best mIoU is {abs(best[0] - best[1]):.1f} points {'above' if best[0] >= best[1] else 'below'} its twin's. "
        f"What limits fcnx: steps are {percent(report['waits']['step_ms'] / ours['seconds'])} of its time, waiting for data {percent(report['waits']['data_ms'] / ours['seconds'])}; "
        "the rest is compilation, evaluations and checkpoints."
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, metavar="DIR", help="CamVid as in the SegNet tutorial")
    parser.add_argument("--fcnx", default="bin/fcnx", help="the program to measure")
    parser.add_argument("--recipe", default="recipes/camvid-narrow.toml")
    parser.add_argument("--epochs", type=float, default=40)
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of both, though each draws its own weights and order of samples from it")
    parser.add_argument("--format", choices=["contiguous", "channels_last"], default="channels_last", help="of the twin")
    parser.add_argument("--slice", type=float, default=20, metavar="SECONDS", help="that each runs at a time")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "twins.json")
    parser.add_argument("--doc", type=Path, help="a page; what is between the markers of --out's name becomes the table")
    args = parser.parse_args()
    if args.slice <= 0 or args.epochs <= 0:
        parser.error("--slice and --epochs are above 0")
    for path, there in ((args.fcnx, shutil.which(args.fcnx)), (args.recipe, Path(args.recipe).is_file())):
        if not there:
            parser.error(f"{path} is not there; from the root of the repository, after `make build`, the defaults are")
    args.data = str(Path(args.data).resolve())
    if args.doc:
        page.check(args.doc, args.out.stem)
    return args


if __name__ == "__main__":
    main()
