"""The parts of a run beside its steps, as a Markdown table: fcnx, PyTorch, and what limits each."""

from tables_markdown import label, markdown, percent

OURS, PACKED = "fcnx", "fcnx, from a pack"
FRAMES = 4  # of the dashboard a second, while a live run is watched


def section(report: dict) -> str:
    measured = report["parts"]
    sides = measured["sides"]
    steps = [case for case in report["cases"] if "train" in case["sides"][OURS]["median"]]
    step = steps[0] if steps else None
    rows = [row for find in (data, packed, evaluation, saved, loaded, update, dashboard) for row in find(report, sides, step)]
    words = (
        f"The rest of a run, in turns as well: medians of {report['rounds']} rounds, data {measured['data']}, batches of {measured['batch']}, cropped to {measured['crop']} and mirrored "
        "for training; PyTorch's channels_last, its DataLoader with as many processes as was faster. Evaluation is a pass over the validation images in their own size, "
        "with loss, confusion matrix and mIoU. A checkpoint has weights and momenta, and is on the disk (fsync) when it is counted as saved."
    )
    return words + "\n\n" + markdown(["", "fcnx", "PyTorch", "fcnx is faster", "what limits fcnx"], rows)


def rates(sides: dict, mode: str) -> dict[str, float]:
    """How many a second each side does."""
    return {name: side["amounts"][mode] / side["median"][mode] for name, side in sides.items() if mode in side["median"]}


def theirs(found: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in found.items() if name not in (OURS, PACKED)}


def per_second(name: str, found: dict[str, float], ours: str, limit: str) -> list[str]:
    """A row of what more of is better."""
    best = max(theirs(found), key=found.get)
    workers = best.partition(", ")[2]
    return [name, f"{found[ours]:.4g}", f"{found[best]:.4g}" + (f" ({workers})" if workers else ""), f"{found[ours] / found[best]:.2f}x", limit]


def taken(name: str, mode: str, sides: dict, limit: str, of: str = "median") -> list[str]:
    """A row of seconds."""
    found = {side: values[of][mode] for side, values in sides.items() if mode in values.get(of, {})}
    best = min(theirs(found).values())
    return [name, f"{found[OURS]:.3g}", f"{best:.3g}", f"{best / found[OURS]:.2f}x", limit]


def times_step(rate: float, step: dict | None) -> str:
    """How a loader compares with what it feeds."""
    if step is None:
        return ""
    eats = step["batch"] / step["sides"][OURS]["median"]["train"]
    return f"; {rate / eats:.1f} times what the training step of {label(step)} takes"


def data(report: dict, sides: dict, step: dict | None) -> list[list[str]]:
    if not (found := rates(sides, "data")):
        return []
    cores = report["machine"]["cores"]
    limit = f"decoding: {1000 * cores / found[OURS]:.1f} ms of a core each" + times_step(found[OURS], step)
    return [per_second("input pipeline, files, images/s", found, OURS, limit)]


def packed(report: dict, sides: dict, step: dict | None) -> list[list[str]]:
    if PACKED not in (found := rates(sides, "data")):
        return []
    height, width = (int(side) for side in report["parts"]["crop"].split("x"))
    limit = f"memory: {found[PACKED] * height * width * 4 / 1e6:.0f} MB/s of cropped pixels and labels come out" + times_step(found[PACKED], step)
    return [per_second("input pipeline, from a pack, images/s", found, PACKED, limit)]


def evaluation(report: dict, sides: dict, _: dict | None) -> list[list[str]]:
    if not (found := rates(sides, "eval")):
        return []
    network = min(1, found[OURS] / rates(sides, "infer")[OURS])
    return [per_second("evaluation, images/s", found, OURS, f"the network: {percent(network)} of it; the rest is loading, loss and counting")]


def saved(report: dict, sides: dict, _: dict | None) -> list[list[str]]:
    ours = sides[OURS]
    if "checkpoint_save" not in ours["median"]:
        return []
    size, took, plain = ours["amounts"]["checkpoint_save"], ours["median"]["checkpoint_save"], ours["median"]["checkpoint_disk"]
    still = ours["still"]["checkpoint_save"]
    return [
        taken("checkpoint: training stands still, s", "checkpoint_save", sides, f"the copy off the device: {size / still / 1e6:.0f} MB/s", "still"),
        taken("checkpoint: on the disk, s", "checkpoint_save", sides, f"the disk: {took / plain:.1f} times a plain file of its {size / 1e6:.0f} MB"),
    ]


def loaded(report: dict, sides: dict, _: dict | None) -> list[list[str]]:
    ours = sides[OURS]
    if "checkpoint_load" not in ours["median"]:
        return []
    rate = ours["amounts"]["checkpoint_load"] / ours["median"]["checkpoint_load"] / 1e6
    return [taken("checkpoint: loaded, s", "checkpoint_load", sides, f"its hash, which PyTorch does not have: {rate:.0f} MB/s read and checked")]


def update(report: dict, sides: dict, step: dict | None) -> list[list[str]]:
    if "update" not in sides[OURS]["median"]:
        return []
    share = f": {percent(sides[OURS]['median']['update'] / step['sides'][OURS]['median']['train'])} of the step of {label(step)}" if step else ""
    return [taken("training step of 1 of 32x32, s", "update", sides, f"weights, their gradients and the update{share}")]


def dashboard(report: dict, sides: dict, _: dict | None) -> list[list[str]]:
    if "dashboard" not in sides[OURS]["median"]:
        return []
    took = sides[OURS]["median"]["dashboard"]
    return [["frame of the dashboard, s", f"{took:.3g}", "has none", "-", f"nothing: {percent(FRAMES * took)} of a core while a run is watched"]]
