"""What a run is made of beside its steps, as a script in PyTorch has it: data, evaluation, checkpoints."""

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision import tv_tensors
from torchvision.io import ImageReadMode, decode_image, read_file
from torchvision.transforms import v2

from camvid import void
from fcn import cross_entropy
from train import measures

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Pairs(Dataset):
    """Images uint8 [3,h,w] and labels uint8 [h,w] of one split of folder:DIR or camvid:DIR (docs/datasets.md)."""

    def __init__(self, spec: str, split: str, transform: Callable | None = None):
        kind, _, root = spec.partition(":")
        layouts = {"folder": (f"{split}/images", f"{split}/masks"), "camvid": (split, f"{split}annot")}
        if kind not in layouts:
            raise SystemExit(f"bench.py: --data {spec}: folder:DIR or camvid:DIR")
        images, masks = (Path(root, part) for part in layouts[kind])
        if not images.is_dir():
            raise SystemExit(f"bench.py: --data {spec}: there is no {images}")
        self.pairs = [(str(path), str(masks / f"{path.stem}.png")) for path in sorted(images.iterdir())]
        self.void = kind == "camvid"
        self.transform = transform

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        image, mask = self.pairs[i]
        pixels = tv_tensors.Image(decode_image(read_file(image), ImageReadMode.RGB))
        with Image.open(mask) as opened:  # torchvision would turn a palette into colours
            labels = np.array(opened)
        labels = tv_tensors.Mask(void(labels) if self.void else torch.from_numpy(labels))
        return self.transform(pixels, labels) if self.transform else (pixels, labels)


class Pipeline:
    """Batches in a random order, cropped and mirrored at random, as fast as they come: uint8, normalised by the network."""

    BATCHES, IMAGES = 4, 32  # that are timed at least, as in cmd/fcnx/bench_data.go

    def __init__(self, spec: str, batch: int, crop: tuple[int, int], workers: int):
        data = Pairs(spec, "train", v2.Compose([v2.RandomCrop(crop), v2.RandomHorizontalFlip()]))
        self.batches = max(self.BATCHES, -(-self.IMAGES // batch))
        # Each worker makes a batch of its own, and all come at about the same time: what is
        # timed begins when each has made one.
        self.ahead = max(1, workers)
        self.images = self.batches * batch
        sampler = RandomSampler(data, num_samples=(self.ahead + self.batches) * batch)
        self.loader = DataLoader(data, batch, sampler=sampler, num_workers=workers, persistent_workers=workers > 0)

    def run(self) -> float:
        """The seconds of so many batches."""
        for i, _ in enumerate(self.loader, 1):
            if i == self.ahead:
                begin = time.perf_counter()
        return time.perf_counter() - begin


class Evaluation:
    """A pass over the validation images in their own size: loss, one confusion matrix, mean IoU."""

    def __init__(self, spec: str, batch: int, workers: int, classes: int, device: torch.device, layout: torch.memory_format):
        data = Pairs(spec, "val")
        self.images, self.classes, self.device, self.layout = len(data), classes, device, layout
        self.loader = DataLoader(data, batch, num_workers=workers, persistent_workers=workers > 0, pin_memory=device.type == "cuda")
        self.mean, self.std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (MEAN, STD))

    def run(self, forward: Callable[[Tensor], Tensor]) -> dict:
        """Logits and labels meet on the device; what is printed in the end leaves it once."""
        confusion = torch.zeros(self.classes, self.classes, dtype=torch.int64, device=self.device)
        loss = torch.zeros((), device=self.device)
        for images, labels in self.loader:
            images, labels = (t.to(self.device, non_blocking=True) for t in (images, labels))
            x = ((images.float() / 255 - self.mean) / self.std).contiguous(memory_format=self.layout)
            logits = forward(x)
            loss += cross_entropy(logits.float(), labels) * len(images)
            known = labels != 255
            pairs = labels[known].long() * self.classes + logits.argmax(1)[known]
            confusion += torch.bincount(pairs, minlength=self.classes**2).view(self.classes, self.classes)
        return {**measures(confusion.cpu()), "loss": loss.item() / self.images}


class Checkpoint:
    """The weights and the optimiser's slots in one file, written so that a crash leaves the old one or the new one."""

    def __init__(self, below: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer):
        self.below, self.model, self.optimizer = below, model, optimizer

    def __enter__(self) -> "Checkpoint":
        self.folder = Path(tempfile.mkdtemp(prefix="torch-bench-", dir=self.below))
        self.path = self.folder / "checkpoint.pt"
        return self

    def __exit__(self, *_) -> None:
        shutil.rmtree(self.folder)

    def save(self) -> None:
        """Until it is on the disk."""
        new = self.path.with_suffix(".tmp")
        with new.open("wb") as file:
            torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "step": 1}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.path)
        folder = os.open(self.folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def load(self) -> None:
        """Reads all of it."""
        torch.load(self.path, map_location="cpu", weights_only=True)
