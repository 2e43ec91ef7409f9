"""How a run of fcnx learned, as a table.

    python bench/curve.py runs/NAME --doc docs/benchmarks.md --name cuda-camvid
"""

import argparse
import json
from datetime import datetime
from pathlib import Path

import page
from tables_markdown import markdown

ROWS = 12  # of the table at most; the best and the last evaluation are among them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the directory of the run")
    parser.add_argument("--doc", type=Path, help="a page; what is between the markers of --name becomes the table")
    parser.add_argument("--name", default="curve")
    args = parser.parse_args()
    made = table([json.loads(line) for line in (args.run / "events.jsonl").read_text().splitlines()])
    print(made)
    if args.doc:
        page.write(args.doc, args.name, made)


def table(events: list[dict]) -> str:
    """Of the events of one process: what trained, how fast, and the evaluations by the minutes from its start."""
    started = next(e for e in events if e["kind"] == "started")
    scores = [e for e in events if e["kind"] == "eval"]
    if not scores:
        raise SystemExit("curve.py: the run was never scored")
    best = max(scores, key=lambda e: e["mean_iou"])
    chosen = {round(i * (len(scores) - 1) / (ROWS - 2)) for i in range(ROWS - 1)}
    rows = [row(started, e, " (best)" * (e is best)) for i, e in enumerate(scores) if i in chosen or e is best]
    images = [e["images"] * 1000 / (e["step_ms"] + e["data_ms"]) for e in events if e["kind"] == "step"]
    speed = f"{sorted(images)[len(images) // 2]:.0f} images/s in the median step" if images else "no steps"
    return f"{started['model']} {started['encoder']} on {started['backend']}, {started['data']}; {speed}:\n\n" + markdown(
        ["minutes", "step", "val mIoU", "pixel accuracy", "loss"], rows
    )


def row(started: dict, score: dict, remark: str) -> list[str]:
    minutes = (moment(score) - moment(started)).total_seconds() / 60
    return [f"{minutes:.1f}", f"{score['step']}{remark}", f"{score['mean_iou']:.3f}", f"{score['pixel_accuracy']:.3f}", f"{score['loss']:.3f}"]


def moment(event: dict) -> datetime:
    """Python before 3.11 reads neither Z nor nanoseconds."""
    return datetime.fromisoformat(event["time"].replace("Z", "").split(".")[0])


if __name__ == "__main__":
    main()
