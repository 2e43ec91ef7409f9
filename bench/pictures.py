"""A data set of JPEG files that look like photographs to a decoder, for those who have none at hand."""

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 360, 480
SPLITS = {"train": 64, "val": 16}


def draw(root: Path, classes: int) -> str:
    """Writes the folders train and val below root, with images and masks; the SPEC of that.

    An image is smooth patches with hard edges and the noise of a sensor, at quality 90: 45 to 60 kB, as a
    photograph of that size has.
    """
    rng = np.random.default_rng(1)
    for split, count in SPLITS.items():
        images, masks = root / split / "images", root / split / "masks"
        images.mkdir(parents=True)
        masks.mkdir()
        for i in range(count):
            pixels, labels = picture(rng, classes)
            Image.fromarray(pixels).save(images / f"{i:03}.jpg", quality=90)
            Image.fromarray(labels).save(masks / f"{i:03}.png")
    (root / "classes.txt").write_text("".join(f"class {i}\n" for i in range(classes)))
    return f"folder:{root}"


def picture(rng: np.random.Generator, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels [HEIGHT,WIDTH,3] and labels [HEIGHT,WIDTH], uint8."""
    labels = zoomed(rng.integers(0, classes, (9, 12), np.uint8), Image.Resampling.NEAREST)
    smooth = zoomed(rng.integers(0, 256, (9, 12, 3), np.uint8), Image.Resampling.BICUBIC)
    edges = zoomed(rng.integers(0, 256, (27, 36, 3), np.uint8), Image.Resampling.NEAREST)
    noise = rng.normal(0, 6, (HEIGHT, WIDTH, 3))
    return np.clip(0.7 * smooth + 0.3 * edges + noise, 0, 255).astype(np.uint8), labels


def zoomed(values: np.ndarray, how: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(values).resize((WIDTH, HEIGHT), how))
