"""A part of a Markdown page that a program writes: all between two markers."""

from pathlib import Path


def markers(name: str) -> tuple[str, str]:
    return f"<!-- {name}: made by bench -->", f"<!-- {name}: end -->"


def check(path: Path, name: str) -> str:
    """The text of the page, which has both markers once, in order; else this is the end."""
    begin, end = markers(name)
    try:
        text = path.read_text()
    except OSError as err:
        raise SystemExit(f"bench: --doc: {err}") from None
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(end) < text.index(begin):
        raise SystemExit(f"bench: {path} needs these two lines, where the tables belong:\n{begin}\n{end}")
    return text


def write(path: Path, name: str, made: str) -> None:
    """Puts what was made between the markers."""
    text = check(path, name)
    begin, end = markers(name)
    before, after = text[: text.index(begin)], text[text.index(end) :]
    path.write_text(f"{before}{begin}\n\n{made.strip()}\n\n{after}")
