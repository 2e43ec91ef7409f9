"""What compare.py measured, as Markdown: no more than reports go in, so any report can be shown again.

    python bench/tables.py bench/results/latest.json [bench/results/latest-before.json]
"""

import argparse
import json
import statistics
from pathlib import Path

import tables_parts
from sides import MODES
from tables_markdown import label, markdown, percent

OURS = "fcnx"
CLOSE = 0.10  # two runs agree where no ratio has moved by more
ENOUGH = 3  # steps for a median of what was set aside
BUSY = 0.6  # of the peak: from there on it is arithmetic that limits


def page(report: dict, before: dict | None) -> str:
    """All tables of a report, and how far it is from the one before it."""
    sections = [heading(report), seconds(report), ratios(report), *aside(report), twice(report, before)]
    if "parts" in report:
        sections.append(tables_parts.section(report))
    return "\n\n".join(sections)


def heading(report: dict) -> str:
    net, machine = report["net"], report["machine"]
    case = report["cases"][0]
    versions = case["versions"]
    counts = {count for each in report["cases"] for count in each["steps"].values()}
    steps = f"{min(counts)} to {max(counts)} steps" if len(counts) > 1 else f"{max(counts)} step{'s' * (max(counts) > 1)}"
    rounds = f"{report['rounds']} rounds"
    measured = {mode for each in report["cases"] for mode in each["steps"]}
    rounds += "".join(f" ({MODES[mode]} has {count} turns in each)" for mode, count in report.get("often", {}).items() if mode in measured)
    most = max((count for each in report["cases"] for count in each.get("rounds", {}).values()), default=0)
    if most > report["rounds"]:
        rounds += f", and of up to {most} where turns were set aside"
    where = f"{case['gpu']}, beside " if case.get("gpu") else ""
    return (
        f"{net['arch']} {net['encoder']}, width {net['width']}, head {net['head']}, {net['classes']} classes, "
        f"on {where}{machine['cores']} cores of {machine['cpu']}, {report['date'][:10]}. fcnx {versions['fcnx']['fcnx']}, PyTorch {versions['torch']}. "
        f"Medians of {rounds}, in turns of {steps} after one that does not count, the fastest step in brackets; "
        f"first is the first step, with compilation; memory is the most {'of the GPU' if gpu(case) else 'that the process had'}, before training and in it."
    )


def seconds(report: dict) -> str:
    """A row each side of each case."""
    rows = []
    for case in report["cases"]:
        for name, side in case["sides"].items():
            there = side["median"]
            rows.append(
                [label(case), name]
                + [f"{there[mode]:.3f} ({side['min'][mode]:.3f})" if mode in there else "-" for mode in MODES]
                + [f"{side['compile_seconds'][mode]:.1f}" if mode in there else "-" for mode in MODES]
                + [f"{needed(case, side, mode) / 1e9:.2f}" if mode in there else "-" for mode in MODES]
            )
    head = ["batch and size", "", "inference, s", "training step, s", "first inference, s", "first step, s"]
    return markdown(head + ["memory of inference, GB", "of training, GB"], rows)


def ratios(report: dict) -> str:
    """A row each case: fcnx beside the best of the others, and beside the machine."""
    rows = []
    for case in report["cases"]:
        share, ratio = shares(case), {what: find(case) for what, find in RATIOS.items() if there(case, what)}
        rows.append(
            [label(case)]
            + [f"{ratio[what]:.2f}x" if what in ratio else "-" for what in RATIOS]
            + [f"{case['multiply_adds'][mode] / 1e9:.1f} G" if mode in share else "-" for mode in MODES]
            + [f"{peak(case) / 1e9:.0f}"]
            + [percent(share[what]) if what in share else "-" for what in ("infer", "train", "gradients")]
            + [limit(share)]
        )
    head = ["batch and size", "inference is faster", "training step is faster", "memory of training", "multiply-adds of inference", "of a step"]
    words = (
        "fcnx beside the best of PyTorch's, which is another for each number. The peak is that of the fastest product of two large matrices "
        "that either did in the same run; shares are fcnx's, a multiply-add being two operations, and Winograd's algorithm does fewer than are counted. "
        f"Gradients are what a step does beside its forward pass. From {percent(BUSY)} on it is the arithmetic that limits."
    )
    return words + "\n\n" + markdown(head + ["peak, GFLOP/s", "share, inference", "share, step", "share, gradients and update", "what limits fcnx"], rows)


def aside(report: dict) -> list[str]:
    """What was set aside because the cores shared no cache, or what was not though they did not."""
    rows, words = [], []
    for case in report["cases"]:
        for mode, what in MODES.items():
            how = case.get("pooled", {}).get(mode)
            if how == "apart":
                words.append(f"{label(case)}, {what}: the first two cores shared no cache in any turn, and the numbers above are of that.")
            elif how == "mixed":
                words.append(f"{label(case)}, {what}: of some program no turn with a shared cache was left, and the numbers above are of all turns.")
            apart, moved = ({name: side.get(kind, {}).get(mode, []) for name, side in case["sides"].items()} for kind in ("apart", "between"))
            if not any(apart.values()) and not any(moved.values()):
                continue
            medians = {name: statistics.median(seconds) for name, seconds in apart.items() if len(seconds) >= ENOUGH}
            ours, best = medians.get(OURS), min((median for name, median in medians.items() if name != OURS), default=None)
            steps = {name: str(len(seconds)) for name, seconds in apart.items()}
            rows.append(
                [label(case), what, f"{ours:.3f}" if ours else "-", f"{best:.3f}" if best else "-"]
                # The best of some of PyTorch's may not be the best of all.
                + [f"{best / ours:.2f}x" if len(medians) == len(apart) else "-"]
                + [steps.pop(OURS), ", ".join(steps.values()), str(sum(map(len, moved.values())))]
            )
    if rows:
        words.append(
            "In some turns the first two cores shared no cache: the host of a virtual machine moves them (bench/cores.py). Those are not in the numbers above. "
            f"Medians of their steps, of {ENOUGH} at least:\n\n"
            + markdown(
                ["batch and size", "", "fcnx, s", "PyTorch's best, s", "fcnx is faster", "steps of fcnx", "of PyTorch", "of turns in which the cores moved"], rows
            )
        )
    return words


def limit(share: dict[str, float]) -> str:
    """What limits fcnx, as far as shares of the peak tell."""
    words = []
    if "infer" in share:
        words.append(f"inference: {arithmetic(share['infer'])}")
    if "gradients" in share and share["gradients"] < 0.8 * share["infer"]:
        words.append("step: gradients and update")
    elif "train" in share:
        words.append(f"step: {arithmetic(share['train'])}")
    return "; ".join(words)


def arithmetic(share: float) -> str:
    return "arithmetic" if share >= BUSY else "what surrounds the arithmetic"


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
            if not (there(case, what) and there(earlier[label(case)], what)):
                continue
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


def others(case: dict) -> list[dict]:
    return [side for name, side in case["sides"].items() if name != OURS]


def faster(case: dict, mode: str) -> float:
    """How many times faster fcnx is than the best of the others, by medians."""
    return min(side["median"][mode] for side in others(case)) / case["sides"][OURS]["median"][mode]


def gpu(case: dict) -> bool:
    return case.get("device") == "cuda"


def needed(case: dict, side: dict, mode: str) -> int:
    """Bytes: of the GPU where there is one, else of the process."""
    return side.get("device_bytes", {}).get(mode, 0) if gpu(case) else side["peak_rss_bytes"][mode]


def memory(case: dict) -> float:
    """The memory of fcnx's training, as a part of the least of the others'."""
    return needed(case, case["sides"][OURS], "train") / min(needed(case, side, "train") for side in others(case))


RATIOS = {
    "inference": lambda case: faster(case, "infer"),
    "training step": lambda case: faster(case, "train"),
    "memory": memory,
}


def there(case: dict, what: str) -> bool:
    """Whether a ratio was measured of the case."""
    return ("infer" if what == "inference" else "train") in case["sides"][OURS]["median"]


def peak(case: dict) -> float:
    """FLOP/s."""
    return max(case["product_flops"].values())


def shares(case: dict) -> dict[str, float]:
    """The share of the peak that fcnx reaches in each mode, and in what a step does beside its forward pass."""
    took, adds = case["sides"][OURS]["median"], case["multiply_adds"]
    found = {mode: 2 * adds[mode] / took[mode] / peak(case) for mode in MODES if mode in took}
    if len(found) == 2 and (rest := took["train"] - took["infer"]) > 0:
        found["gradients"] = 2 * (adds["train"] - adds["infer"]) / rest / peak(case)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="of bench/compare.py --out")
    parser.add_argument("before", type=Path, nargs="?", help="the report of the run before it")
    args = parser.parse_args()
    try:
        reports = [json.loads(path.read_text()) if path else None for path in (args.report, args.before)]
    except (OSError, ValueError) as err:
        parser.error(str(err))
    if any(report is not None and "cases" not in report for report in reports):
        parser.error("no report: it has no cases")
    print(page(*reports))
