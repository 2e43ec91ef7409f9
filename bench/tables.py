"""What compare.py measured, as Markdown: no more than reports go in, so any report can be shown again.

    python bench/tables.py bench/results/latest.json [bench/results/latest-before.json]
"""

import json
import sys
from pathlib import Path

from sides import MODES

OURS = "fcnx"
CLOSE = 0.10  # two runs agree where no ratio has moved by more


def page(report: dict, before: dict | None) -> str:
    """All tables of a report, and how far it is from the one before it."""
    sections = [heading(report), seconds(report), ratios(report), twice(report, before)]
    if "parts" in report:
        sections.append(parts(report["parts"]))
    return "\n\n".join(sections)


def heading(report: dict) -> str:
    net, machine = report["net"], report["machine"]
    versions = report["cases"][0]["versions"]
    return (
        f"{net['arch']} {net['encoder']}, width {net['width']}, head {net['head']}, {net['classes']} classes, "
        f"on {machine['cores']} cores of {machine['cpu']}, {report['date'][:10]}. fcnx {versions['fcnx']['fcnx']}, PyTorch {versions['torch']}. "
        f"Medians of {report['rounds']} rounds of {report['steps']} steps in turns, the fastest step in brackets; "
        "first is the first step, with compilation; memory is the most that the process had, before training and in it."
    )


def seconds(report: dict) -> str:
    """A row each side of each case."""
    rows = []
    for case in report["cases"]:
        for name, side in case["sides"].items():
            rows.append(
                [label(case), name]
                + [f"{side['median'][mode]:.3f} ({side['min'][mode]:.3f})" for mode in MODES]
                + [f"{side['compile_seconds'][mode]:.1f}" for mode in MODES]
                + [f"{side['peak_rss_bytes'][mode] / 1e9:.2f}" for mode in MODES]
            )
    head = ["batch and size", "", "inference, s", "training step, s", "first inference, s", "first step, s"]
    return markdown(head + ["memory of inference, GB", "of training, GB"], rows)


def ratios(report: dict) -> str:
    """A row each case: fcnx beside the best of the others, and beside the machine."""
    rows = []
    for case in report["cases"]:
        share = shares(case)
        rows.append(
            [label(case)]
            + [f"{faster(case, mode):.2f}x" for mode in MODES]
            + [f"{memory(case):.2f}x"]
            + [f"{case['multiply_adds'][mode] / 1e9:.1f} G" for mode in MODES]
            + [f"{peak(case) / 1e9:.0f}"]
            + [f"{100 * share[what]:.0f}%" for what in ("infer", "train", "gradients")]
        )
    head = ["batch and size", "inference is faster", "training step is faster", "memory of training", "multiply-adds of inference", "of a step"]
    words = (
        "fcnx beside the best of PyTorch's, which is another for each number. The peak is that of the fastest product of two large matrices "
        "that either did in the same run; shares are fcnx's, a multiply-add being two operations. Gradients are what a step does beside its forward pass."
    )
    return words + "\n\n" + markdown(head + ["peak, GFLOP/s", "share, inference", "share, step", "share, gradients and update"], rows)


def twice(report: dict, before: dict | None) -> str:
    """Ratios of this run and of the one before, where both have the case."""
    if before is None:
        return "Measured once; a second run would say how far its ratios are from these."
    if report["net"] != before["net"] or any(report["machine"][key] != before["machine"][key] for key in ("cpu", "cores")):
        return "The run before this one was of another net or another machine; there is nothing to compare these ratios with."
    earlier = {label(case): case for case in before["cases"]}
    rows, furthest = [], 0.0
    for case in report["cases"]:
        if label(case) not in earlier:
            continue
        for what, ratio in RATIOS.items():
            first, second = ratio(earlier[label(case)]), ratio(case)
            apart = abs(second / first - 1)
            furthest = max(furthest, apart)
            rows.append([label(case), what, f"{first:.2f}x", f"{second:.2f}x", f"{100 * apart:.0f}%"])
    if not rows:
        return "The run before this one had other shapes; there is nothing to compare these ratios with."
    verdict = "within" if furthest <= CLOSE else "not within"
    return (
        f"Measured twice, {before['date'][:16].replace('T', ' ')} and {report['date'][:16].replace('T', ' ')} UTC: "
        f"the ratios of the two runs are {verdict} {100 * CLOSE:.0f}% of each other; the furthest are {100 * furthest:.0f}% apart.\n\n"
        + markdown(["batch and size", "", "first run", "second run", "apart"], rows)
    )


def parts(report: dict) -> str:
    """The rows of `fcnx bench --json`, with what limits each."""
    rows = []
    for row in report["rows"]:
        unit = row["unit"]
        rate = f"{row['rate'] / 1e6:.0f} MB/s" if unit == "bytes" else f"{row['rate']:.4g} {unit}/s"
        rows.append([row["name"], f"{row['median_seconds']:.3g}", rate, row.get("limit") or "-"])
    model = report["model"]
    words = (
        f"Every part of a run (`fcnx bench`): {model['arch']} {model['encoder']}, width {model['width']}, {model['classes']} classes, "
        f"{report['precision']}, data {report.get('data') or 'none'}; medians of {report['rounds']} rounds."
    )
    return words + "\n\n" + markdown(["", "seconds", "rate", "what limits it"], rows)


def label(case: dict) -> str:
    precision = "" if case["precision"] == "float32" else f", {case['precision']}"
    return f"{case['batch']} of {case['height']}x{case['width']}{precision}"


def others(case: dict) -> list[dict]:
    return [side for name, side in case["sides"].items() if name != OURS]


def faster(case: dict, mode: str) -> float:
    """How many times faster fcnx is than the best of the others, by medians."""
    return min(side["median"][mode] for side in others(case)) / case["sides"][OURS]["median"][mode]


def memory(case: dict) -> float:
    """The memory of fcnx's training, as a part of the least of the others'."""
    return case["sides"][OURS]["peak_rss_bytes"]["train"] / min(side["peak_rss_bytes"]["train"] for side in others(case))


RATIOS = {
    "inference": lambda case: faster(case, "infer"),
    "training step": lambda case: faster(case, "train"),
    "memory": memory,
}


def peak(case: dict) -> float:
    """FLOP/s."""
    return max(case["product_flops"].values())


def shares(case: dict) -> dict[str, float]:
    """The share of the peak that fcnx reaches in each mode, and in what a step does beside its forward pass."""
    took, adds = case["sides"][OURS]["median"], case["multiply_adds"]
    found = {mode: 2 * adds[mode] / took[mode] / peak(case) for mode in MODES}
    rest = took["train"] - took["infer"]
    found["gradients"] = 2 * (adds["train"] - adds["infer"]) / rest / peak(case) if rest > 0 else float("nan")
    return found


def markdown(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows])


if __name__ == "__main__":
    reports = [json.loads(Path(path).read_text()) for path in sys.argv[1:3]] + [None]
    print(page(reports[0], reports[1]))
