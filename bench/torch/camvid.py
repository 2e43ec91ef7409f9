"""CamVid in memory, as fcnx resizes, flips and orders it (docs/datasets.md)."""

from pathlib import Path
from typing import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor

VOID = 11  # of the masks; 255 here


class Split:
    """One split: images [n,h,w,3] resized bilinearly with anti-aliasing, uint8; labels as they are, and resized to the nearest."""

    def __init__(self, root: Path, name: str, height: int, width: int):
        images, labels, full = [], [], []
        for path in sorted((root / name).iterdir()):
            with Image.open(path) as image:
                images.append(np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)))
            with Image.open(root / f"{name}annot" / f"{path.stem}.png") as mask:
                labels.append(np.asarray(mask.resize((width, height), Image.Resampling.NEAREST)))
                full.append(np.asarray(mask))
        if not images:
            raise SystemExit(f"train.py: {root / name}: no images")
        self.images = torch.from_numpy(np.stack(images))
        self.labels = void(np.stack(labels))
        self.full = void(np.stack(full))

    def __len__(self) -> int:
        return len(self.images)

    def epoch(self, batch: int, flip: bool, rng: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Images [N,h,w,3] and labels [N,h,w] in a new order, one time in two mirrored; the last batch has what is left."""
        for chosen in torch.randperm(len(self), generator=rng).split(batch):
            images, labels = self.images[chosen], self.labels[chosen]
            if flip:
                turned = torch.rand(len(chosen), generator=rng) < 0.5
                images[turned], labels[turned] = images[turned].flip(2), labels[turned].flip(2)
            yield images, labels


def void(labels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.where(labels == VOID, 255, labels).astype(np.uint8))
