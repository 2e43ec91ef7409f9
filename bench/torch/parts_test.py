"""python -m unittest discover -s bench/torch -p '*_test.py', with PyTorch"""

import tempfile
import unittest
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import bench
import parts

HEIGHT, WIDTH, CPU = 24, 40, torch.device("cpu")


class Data(unittest.TestCase):
    def setUp(self):
        """Five images a split, each of one grey that is its label times 50, but for its first nine columns, of which each crop has one: black, and not labelled."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for split in ("train", "val"):
            for kind in ("images", "masks"):
                (self.root / split / kind).mkdir(parents=True)
            for i in range(5):
                labels = np.full((HEIGHT, WIDTH), i % 3, np.uint8)
                labels[:, :9] = 255
                pixels = np.where(labels == 255, 0, labels * 50).astype(np.uint8)
                Image.fromarray(np.stack([pixels] * 3, 2)).save(self.root / split / "images" / f"{i}.png")
                mask = Image.fromarray(labels).convert("P")
                mask.save(self.root / split / "masks" / f"{i}.png")

    def spec(self) -> str:
        return f"folder:{self.root}"

    def test_pairs(self):
        image, labels = parts.Pairs(self.spec(), "val")[2]
        self.assertEqual((image.dtype, image.shape, labels.dtype, labels.shape), (torch.uint8, (3, HEIGHT, WIDTH), torch.uint8, (HEIGHT, WIDTH)))
        self.assertEqual(labels.unique().tolist(), [2, 255])
        self.assertTrue(torch.equal(image[0, :, 9:], labels[:, 9:] * 50))

    def test_camvid(self):
        (self.root / "val" / "images").rename(self.root / "moved")
        (self.root / "moved").rename(self.root / "v")
        (self.root / "val" / "masks").rename(self.root / "vannot")
        Image.fromarray(np.full((HEIGHT, WIDTH), 11, np.uint8)).save(self.root / "vannot" / "0.png")
        _, labels = parts.Pairs(f"camvid:{self.root}", "v")[0]
        self.assertEqual(labels.unique().tolist(), [255])

    def test_what_it_does_not_know(self):
        for spec, want in (("voc:D", "folder:DIR or camvid:DIR"), ("folder:/nonexistent", "there is no /nonexistent/train/images")):
            with self.assertRaisesRegex(SystemExit, want):
                parts.Pairs(spec, "train")

    def test_pipeline(self):
        for workers in (0, 2):
            pipeline = parts.Pipeline(self.spec(), 3, (16, 32), workers)
            self.assertEqual(pipeline.images, 33)
            batches = list(pipeline.loader)
            self.assertEqual(len(batches), pipeline.ahead + 11)
            mirrored = 0
            for images, labels in batches:
                self.assertEqual((images.shape, labels.shape), ((3, 3, 16, 32), (3, 16, 32)))
                mirrored += int((labels[:, 0, -1] == 255).sum())
                self.assertTrue(torch.equal(images[:, 0][labels != 255], labels[labels != 255] * 50), "images and labels are cropped and mirrored alike")
            self.assertGreater(mirrored, 0)
            self.assertGreater(pipeline.run(), 0)
            self.assertGreater(pipeline.run(), 0)

    def test_evaluation(self):
        evaluation = parts.Evaluation(self.spec(), 2, 0, 3, CPU, torch.channels_last)

        def right_but_for_class_two(x: torch.Tensor) -> torch.Tensor:
            grey = (x * evaluation.std + evaluation.mean)[:, 0] * 255
            label = (grey / 50).round().long().clamp(0, 1)  # 2 is taken for 1
            return torch.nn.functional.one_hot(label, 3).permute(0, 3, 1, 2).float() * 20

        got = evaluation.run(right_but_for_class_two)
        # Labels 0 1 2 0 1: class 0 is right, class 1 has a third too much, class 2 is never seen.
        self.assertAlmostEqual(got["mean_iou"], (1 + 2 / 3 + 0) / 3)
        self.assertAlmostEqual(got["pixel_accuracy"], 4 / 5)
        self.assertAlmostEqual(got["loss"], 20 / 5, places=3)


class Saves(unittest.TestCase):
    def test_what_is_saved_is_loaded_and_removed(self):
        net = torch.nn.Linear(3, 2)
        optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
        net(torch.ones(1, 3)).sum().backward()
        optimizer.step()
        with tempfile.TemporaryDirectory() as folder:
            with parts.Checkpoint(Path(folder), net, optimizer) as kept:
                kept.save()
                kept.save()
                kept.load()
                self.assertEqual([path.name for path in kept.folder.iterdir()], ["checkpoint.pt"])
                state = torch.load(kept.path)
                self.assertTrue(torch.equal(state["model"]["weight"], net.weight))
                self.assertEqual(len(state["optimizer"]["state"]), 2)
            self.assertEqual(list(Path(folder).iterdir()), [])


class Server(unittest.TestCase):
    def test_every_mode_but_those_of_data(self):
        words = "--encoder vgg11 --width 2 --head 4 --classes 3 --size 32x64 --batch 2 --only inference,train,update,checkpoint --format channels_last"
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            args = bench.parse([*words.split(), "--out", folder])
            made = bench.Bench(args, args.format, stack)
            for mode in bench.modes(args.only):
                said = made.time(mode, 2)
                self.assertEqual(said["mode"], mode)
                self.assertEqual(len(said["seconds"]), 2)
                self.assertEqual("still_seconds" in said, mode == "checkpoint_save")
                self.assertNotIn("device_bytes", said)
                self.assertGreater(made.amounts[mode], 0)
            self.assertEqual(made.time("product", 1)["multiply_adds"], made.rows**3)

    def test_data_that_nobody_named(self):
        with self.assertRaises(SystemExit) as ended:
            bench.parse(["--only", "data"])
        self.assertEqual(ended.exception.code, 2)

    @unittest.skipIf(torch.cuda.is_available(), "there is an NVIDIA GPU here, and the sentence is for machines without")
    def test_no_gpu(self):
        with self.assertRaisesRegex(SystemExit, "^bench.py: --device cuda: PyTorch finds no NVIDIA GPU on this machine; leave --device out"):
            bench.prepare_cuda()


if __name__ == "__main__":
    unittest.main()
