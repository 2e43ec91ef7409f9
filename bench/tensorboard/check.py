"""Load the tb/ of a run with the real TensorBoard, and compare what it shows with events.jsonl.

    python3 -m venv .venv && .venv/bin/pip install tensorboard
    .venv/bin/python bench/tensorboard/check.py runs/NAME

A run that was resumed is the better test: what an earlier process did beyond its last checkpoint must be gone. Three readers are
asked, for they share little code: the event accumulators of old and new, and the server that a browser talks to.
"""

import json
import math
import pathlib
import struct
import sys
import urllib.parse
import urllib.request

from tensorboard import program
from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
from tensorboard.util import tensor_util


def scalars(record):
    """The scalars that fcnx writes for a record, by tag; docs/sinks.md lists them."""
    kind, found = record["kind"], {}
    if kind == "step":
        found = {"train/loss": record["loss"], "train/learning_rate": record["lr"], "train/data_ms": record["data_ms"],
                 "train/step_ms": record["step_ms"], "train/grad_norm": record.get("grad_norm")}
        total = record["data_ms"] + record["step_ms"]
        found["train/images_per_second"] = 1000 * record["images"] / total if total > 0 else None
    elif kind == "eval":
        found = {"val/" + key: record[key] for key in ("loss", "mean_iou", "pixel_accuracy", "mean_accuracy", "fw_iou")}
        found |= {"val/iou/" + name: iou for name, iou in record["class_iou"].items()}
    elif kind == "system":
        found = {"system/cpu_percent": record["cpu_percent"], "system/rss_bytes": record["rss_bytes"]}
        for i, gpu in enumerate(record.get("gpus", [])):
            found |= {f"system/gpu{i}/utilization_percent": gpu["utilization_percent"],
                      f"system/gpu{i}/memory_used_bytes": gpu["memory_used_bytes"],
                      f"system/gpu{i}/watts": gpu.get("watts"), f"system/gpu{i}/celsius": gpu.get("celsius")}
    return {tag: float32(float(value)) for tag, value in found.items() if value is not None}


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def expected(run):
    """What events.jsonl says: {tag: [(step, value)]} of scalars, {tag: [(step, (height, width))]} of pictures."""
    values, pictures = {}, {}
    seen = written = following = 0  # evaluations of this process with pictures, as in train/sink/tensorboard.go
    for line in (run / "events.jsonl").open():
        record = json.loads(line)
        if record["kind"] == "started":
            seen = written = following = 0
            first = record["step"] + 1 if record["step"] else 0
            for series in (values, pictures):
                for tag in series:
                    series[tag] = [point for point in series[tag] if point[0] < first]
        for tag, value in scalars(record).items():
            values.setdefault(tag, []).append((record["step"], value))
        if record["kind"] != "preview":
            continue
        seen += 1
        if seen <= following:
            continue
        written += 1
        following = seen - 1 + 2 ** (written // 20)
        for image in record["images"]:
            sizes = [png_size((run / image[file]).read_bytes()) for file in ("truth", "result")]
            size = max(h for h, _ in sizes), sum(w for _, w in sizes)
            pictures.setdefault("preview/" + image["id"], []).append((record["step"], size))
    return {tag: s for tag, s in values.items() if s}, {tag: s for tag, s in pictures.items() if s}


def png_size(data):
    width, height = struct.unpack(">II", data[16:24])
    return height, width


def by_accumulator(tb):
    reader = event_accumulator.EventAccumulator(str(tb), size_guidance={"scalars": 0, "images": 0})
    reader.Reload()
    values = {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}
    pictures = {}
    for tag in reader.Tags()["images"]:
        events = reader.Images(tag)
        assert all(png_size(e.encoded_image_string) == (e.height, e.width) for e in events), tag
        pictures[tag] = [(e.step, (e.height, e.width)) for e in events]
    return values, pictures


def by_plugin_accumulator(tb):
    reader = plugin_event_accumulator.EventAccumulator(str(tb), tensor_size_guidance={"scalars": 0, "images": 0}, size_guidance={"tensors": 0})
    reader.Reload()
    values, pictures = {}, {}
    for tag in reader.PluginTagToContent("scalars"):
        values[tag] = [(e.step, float(tensor_util.make_ndarray(e.tensor_proto))) for e in reader.Tensors(tag)]
    for tag in reader.PluginTagToContent("images") if "images" in reader.ActivePlugins() else []:
        for e in reader.Tensors(tag):
            width, height, data = e.tensor_proto.string_val
            assert png_size(data) == (int(height), int(width)), tag
            pictures.setdefault(tag, []).append((e.step, (int(height), int(width))))
    return values, pictures


def by_server(tb):
    server = program.TensorBoard()
    server.configure(logdir=str(tb), port=0, host="127.0.0.1", samples_per_plugin={"scalars": 1_000_000, "images": 1000})
    url = server.launch()

    def get(path, **query):
        with urllib.request.urlopen(f"{url}data/plugin/{path}?{urllib.parse.urlencode(query)}") as answer:
            return answer.read()

    values, pictures = {}, {}
    for run, tags in json.loads(get("scalars/tags")).items():
        for tag in tags:
            values[tag] = [(step, float(value)) for _, step, value in json.loads(get("scalars/scalars", run=run, tag=tag))]
    for run, tags in json.loads(get("images/tags")).items():
        for tag in tags:
            for image in json.loads(get("images/images", run=run, tag=tag, sample=0)):
                with urllib.request.urlopen(f"{url}data/plugin/images/individualImage?{image['query']}") as answer:
                    size = png_size(answer.read())
                pictures.setdefault(tag, []).append((image["step"], size))
    return values, pictures


def same(a, b):
    """Equal, NaN too."""
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    run = pathlib.Path(sys.argv[1])
    wanted = expected(run)
    bad = 0
    for reader in (by_accumulator, by_plugin_accumulator, by_server):
        if reader == by_server:  # of several values for one step it keeps the last
            wanted = [{tag: list(dict(points).items()) for tag, points in series.items()} for series in wanted]
        for kind, want, got in zip(("scalars", "pictures"), wanted, reader(run / "tb")):
            points = sum(map(len, want.values()))
            wrong = [tag for tag in sorted(want.keys() | got.keys()) if not same(want.get(tag, []), got.get(tag, []))]
            print(f"{reader.__name__}: {len(want)} {kind}, {points} points: {'differ in ' + ', '.join(wrong) if wrong else 'as in events.jsonl'}")
            for tag in wrong[:3]:
                print(f"  {tag}: {want.get(tag)}\n  TensorBoard: {got.get(tag)}")
            bad += len(wrong)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
