"""python -m unittest discover -s bench/torch -p '*_test.py', with PyTorch"""

import copy
import unittest

import numpy as np
import torch

import train
from camvid import Split, void

# The keys of a run's configuration that the twin looks at.
CONFIG = {
    "run": {"seed": 1}, "data": {"spec": "camvid:DIR", "val_spec": "", "bad_samples": "fail"},
    "augment": {"resize": "32x64", "scale": [], "crop": "", "flip": True, "jitter": 0.0},
    "model": {"arch": "fcn8s", "encoder": "vgg11_bn", "width": 2, "head": 4, "classes": 3, "upsample": "learned", "dropout": 0.5,
              "geometry": "same", "init": "", "at_once": False},
    "preprocess": {"order": "rgb", "scale": 1 / 255, "mean": [0.5, 0.25, 0.0], "std": [0.5, 0.25, 1.0]},
    "train": {**train.ONLY["train"], "lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "bias_lr": 2.0, "warmup": 0, "power": 0.9},
    "eval": {"every_steps": 0, "every_epochs": 1.0, "batch": 0},
}  # fmt: skip


def split(n: int) -> Split:
    """Image i is i everywhere but in its first column, where it is 100."""
    made = object.__new__(Split)
    made.images = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).repeat(1, 32, 64, 3)
    made.labels = made.images[..., 0].clone()
    made.images[:, :, 0], made.labels[:, :, 0] = 100, 100
    made.full = made.labels
    return made


class Data(unittest.TestCase):
    def test_every_sample_once_an_epoch_and_its_label_with_it(self):
        data, rng = split(7), torch.Generator().manual_seed(1)
        orders, mirrored = [], 0
        for _ in range(6):
            batches = list(data.epoch(3, True, rng))
            self.assertEqual([len(images) for images, _ in batches], [3, 3, 1])
            images, labels = torch.cat([b[0] for b in batches]), torch.cat([b[1] for b in batches])
            self.assertTrue(torch.equal(images[..., 0], labels))
            self.assertEqual(sorted(labels[:, 0, 32].tolist()), list(range(7)))
            mirrored += int((labels[:, 0, -1] == 100).sum())
            orders.append(labels[:, 0, 32].tolist())
        self.assertNotEqual(orders[0], orders[1])
        self.assertTrue(10 < mirrored < 32, mirrored)  # of 42
        self.assertEqual(int(data.images[:, 0, 0].float().mean()), 100, "the data itself is never mirrored")

    def test_void(self):
        self.assertEqual(void(np.array([0, 10, 11, 255])).tolist(), [0, 10, 255, 255])


class Learning(unittest.TestCase):
    def test_measures(self):
        # Class 2 is nowhere; class 3 is predicted and never true.
        confusion = torch.tensor([[6, 2, 0, 0], [1, 3, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0]])
        got = train.measures(confusion)
        self.assertAlmostEqual(got["mean_iou"], (6 / 9 + 3 / 8 + 0) / 3)
        self.assertAlmostEqual(got["pixel_accuracy"], 9 / 14)
        self.assertEqual(got["class_iou"], [6 / 9, 3 / 8, None, 0])

    def test_rate(self):
        schedule = {"lr": 0.1, "power": 1.0, "warmup": 4}
        self.assertEqual([round(train.rate(step, 10, schedule), 6) for step in range(6)], [0.025, 0.045, 0.06, 0.07, 0.06, 0.05])

    def test_pixels(self):
        twin = train.Twin(CONFIG, torch.channels_last)
        got = twin.prepare(torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 3))
        self.assertTrue(torch.allclose(got.flatten(), torch.tensor([-1.0, -0.2, 1.0]), atol=1e-6), got)

    def test_it_learns(self):
        data = split(3)
        data.full = data.labels = torch.ones_like(data.labels)
        twin = train.Twin(CONFIG, torch.channels_last)
        self.assertEqual(twin.score(data, 3, 2)["mean_iou"], 0)
        for _ in range(5):
            twin.step(data.images, data.labels, 0.1)
        self.assertEqual(twin.score(data, 3, 2), {"mean_iou": 1.0, "pixel_accuracy": 1.0, "class_iou": [None, 1.0, None]})


class Check(unittest.TestCase):
    def test_what_it_can_follow(self):
        train.check(CONFIG)

    def test_what_it_cannot(self):
        for section, key, value, want in (
            ("augment", "crop", "32x32", "augment.crop is '32x32'; the twin knows '' only"),
            ("train", "optimizer", "adamw", "train.optimizer is 'adamw'"),
            ("train", "freeze", ["conv*"], "train.freeze is"),
            ("data", "spec", "shapes", "is for camvid:DIR"),
            ("augment", "resize", "", "resized, in one stage"),
        ):
            config = copy.deepcopy(CONFIG)
            config[section][key] = value
            with self.assertRaisesRegex(SystemExit, want):
                train.check(config)


if __name__ == "__main__":
    unittest.main()
