"""Train the twin of a run of fcnx in PyTorch on the CPU: the same net, data, augmentation, schedule and evaluation.

    python train.py runs/NAME/config.toml

The configuration is a run's own, resolved; what it has that the twin cannot follow is an error. Prints a JSON line each
evaluation, {"step","mean_iou","pixel_accuracy","class_iou"}, and one at the end, {"steps","step_seconds"}. Chance is
PyTorch's, so the order of samples is another one than fcnx's.
"""

import argparse
import json
import os
import time
import tomllib
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from camvid import Split
from fcn import FCN, cross_entropy, parameter_groups

# What the twin does in one way only.
ONLY = {
    "data": {"val_spec": "", "bad_samples": "fail"},
    "augment": {"scale": [], "crop": "", "jitter": 0.0},
    "model": {"geometry": "same", "init": "", "at_once": False},
    "preprocess": {"order": "rgb"},
    "train": {
        "shuffle": True, "loss": "mean", "class_weights": [], "class_balance": "", "optimizer": "sgd", "nesterov": False, "bias_decay": False,
        "encoder_lr": 1.0, "head_lr": 1.0, "freeze": [], "schedule": "poly", "clip": 0.0, "precision": "float32", "rates": {},
    },
    "eval": {"every_steps": 0},
}  # fmt: skip


class Twin:
    """A net and how it learns, as the configuration says."""

    def __init__(self, config: dict, memory_format: torch.memory_format):
        model, train = config["model"], config["train"]
        torch.manual_seed(config["run"]["seed"])
        self.layout = memory_format
        self.net = FCN(model["arch"], model["encoder"], model["classes"], model["width"], model["head"], model["upsample"], dropout=model["dropout"])
        self.net.to(memory_format=memory_format)
        groups = parameter_groups(self.net, 1.0, train["weight_decay"], train["bias_lr"])
        self.rates = [group["lr"] for group in groups]
        self.optimizer = torch.optim.SGD(groups, momentum=train["momentum"], fused=True)
        self.scale = config["preprocess"]["scale"]
        self.mean, self.std = (torch.tensor(config["preprocess"][key]).view(1, 3, 1, 1) for key in ("mean", "std"))

    def prepare(self, images: Tensor) -> Tensor:
        """uint8 [N,h,w,3] -> float32 [N,3,h,w], normalised."""
        x = images.permute(0, 3, 1, 2).float()
        return ((x * self.scale - self.mean) / self.std).contiguous(memory_format=self.layout)

    def step(self, images: Tensor, labels: Tensor, lr: float) -> None:
        self.net.train()
        for group, rate in zip(self.optimizer.param_groups, self.rates):
            group["lr"] = lr * rate
        self.optimizer.zero_grad(set_to_none=True)
        loss = cross_entropy(self.net(self.prepare(images)), labels)
        loss.backward()
        self.optimizer.step()
        if not torch.isfinite(loss):
            raise SystemExit(f"train.py: the loss is {loss.item()}")

    @torch.inference_mode()
    def score(self, split: Split, classes: int, batch: int) -> dict:
        """One confusion matrix over the split, at the labels' own size, to which logits are resized bilinearly."""
        self.net.eval()
        confusion = torch.zeros(classes, classes, dtype=torch.int64)
        for images, labels in zip(split.images.split(batch), split.full.split(batch)):
            logits = F.interpolate(self.net(self.prepare(images)), size=labels.shape[1:], mode="bilinear", align_corners=False)
            known = labels != 255
            pairs = labels[known].long() * classes + logits.argmax(1)[known]
            confusion += torch.bincount(pairs, minlength=classes**2).view(classes, classes)
        return measures(confusion)


def measures(confusion: Tensor) -> dict:
    """Of a matrix [truth, prediction]; a class that is in neither has no IoU, and is left out of the mean."""
    right = confusion.diagonal().double()
    union = confusion.sum(0) + confusion.sum(1) - confusion.diagonal()
    iou = right / union
    return {
        "mean_iou": iou.nanmean().item(),
        "pixel_accuracy": (right.sum() / confusion.sum()).item(),
        "class_iou": [None if i != i else i for i in iou.tolist()],
    }


def rate(step: int, steps: int, train: dict) -> float:
    """lr (1 - step/steps)^power, the first steps times 1/warmup, 2/warmup, ..."""
    lr = train["lr"] * (1 - step / steps) ** train["power"]
    return lr * min(1, (step + 1) / train["warmup"]) if train["warmup"] else lr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--format", choices=["contiguous", "channels_last"], default="channels_last")
    args = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    config = tomllib.loads(args.config.read_text())
    check(config)
    train = config["train"]
    root = Path(config["data"]["spec"].removeprefix("camvid:"))
    height, width = (int(side) for side in config["augment"]["resize"].split("x"))
    data, val = (Split(root, name, height, width) for name in ("train", "val"))
    twin = Twin(config, {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}[args.format])

    per_epoch = -(-len(data) // train["batch"])
    steps = train["steps"] or round(train["epochs"] * per_epoch)
    every = round(config["eval"]["every_epochs"] * per_epoch)
    rng = torch.Generator().manual_seed(config["run"]["seed"])
    done, spent = 0, 0.0
    while done < steps:
        for images, labels in data.epoch(train["batch"], config["augment"]["flip"], rng):
            start = time.perf_counter()
            twin.step(images, labels, rate(done, steps, train))
            spent += time.perf_counter() - start
            done += 1
            if done % every == 0 or done == steps:
                say({"step": done, **twin.score(val, config["model"]["classes"], config["eval"]["batch"] or train["batch"])})
            if done == steps:
                break
    say({"steps": done, "step_seconds": spent})


def check(config: dict) -> None:
    """Ends where the configuration asks for what the twin does not do."""
    for section, keys in ONLY.items():
        for key, value in keys.items():
            if config[section].get(key, value) != value:
                raise SystemExit(f"train.py: {section}.{key} is {config[section][key]!r}; the twin knows {value!r} only")
    if not config["data"]["spec"].startswith("camvid:") or "?" in config["data"]["spec"] or not config["augment"]["resize"] or config.get("stage"):
        raise SystemExit("train.py: the twin is for camvid:DIR, resized, in one stage")


def say(result: dict) -> None:
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
