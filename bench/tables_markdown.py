"""What all tables are written with."""


def markdown(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows])


def percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def label(case: dict) -> str:
    precision = "" if case["precision"] == "float32" else f", {case['precision']}"
    return f"{case['batch']} of {case['height']}x{case['width']}{precision}"
