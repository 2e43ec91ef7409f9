"""python3 -m unittest discover -s bench -p '*_test.py'"""

import copy
import unittest

import tables_parts


def side(amounts: dict, **seconds: float) -> dict:
    return {"amounts": amounts, "median": seconds}


def report() -> dict:
    """Round numbers: two cores, a step that eats 8 images/s."""
    images = {"data": 32, "eval": 16, "infer": 8, "update": 1, "dashboard": 1, "checkpoint_save": 2e9, "checkpoint_disk": 2e9, "checkpoint_load": 2e9}
    ours = side(images, data=0.25, eval=4.0, infer=1.5, update=0.5, dashboard=0.005, checkpoint_save=3.0, checkpoint_disk=2.0, checkpoint_load=1.0)
    ours["still"] = {"checkpoint_save": 0.5}
    torch = side(images, data=1.0, eval=8.0, update=0.75, checkpoint_save=2.5, checkpoint_load=0.5)
    torch["still"] = {"checkpoint_save": 2.5}
    return {
        "machine": {"cores": 2},
        "rounds": 4,
        "cases": [
            {"batch": 1, "height": 512, "width": 512, "precision": "float32", "sides": {"fcnx": {"median": {"infer": 9.0}}}},
            {"batch": 8, "height": 64, "width": 96, "precision": "float32", "sides": {"fcnx": {"median": {"train": 1.0}}}},
        ],
        "parts": {
            "data": "drawn JPEG files of 480x360", "batch": 8, "crop": "320x320", "size": "360x480",
            "sides": {
                "fcnx": ours, "fcnx, from a pack": side(images, data=0.0625),
                "PyTorch": torch, "PyTorch, 2 workers": side(images, data=0.5, eval=10.0),
            },
        },
    }  # fmt: skip


class Rows(unittest.TestCase):
    def test_all(self):
        rows = [line for line in tables_parts.section(report()).splitlines() if line.startswith("| ")][2:]
        self.assertEqual(
            rows,
            [
                "| input pipeline, files, images/s | 128 | 64 (2 workers) | 2.00x | decoding: 15.6 ms of a core each; 16.0 times what the training step of 8 of 64x96 takes |",
                "| input pipeline, from a pack, images/s | 512 | 64 (2 workers) | 8.00x | memory: 210 MB/s of cropped pixels and labels come out; 64.0 times what the training step of 8 of 64x96 takes |",
                "| evaluation, images/s | 4 | 2 | 2.00x | the network: 75% of it; the rest is loading, loss and counting |",
                "| checkpoint: training stands still, s | 0.5 | 2.5 | 5.00x | the copy off the device: 4000 MB/s |",
                "| checkpoint: on the disk, s | 3 | 2.5 | 0.83x | the disk: 1.5 times a plain file of its 2000 MB |",
                "| checkpoint: loaded, s | 1 | 0.5 | 0.50x | its hash, which PyTorch does not have: 2000 MB/s read and checked |",
                "| training step of 1 of 32x32, s | 0.5 | 0.75 | 1.50x | weights, their gradients and the update: 50% of the step of 8 of 64x96 |",
                "| frame of the dashboard, s | 0.005 | has none | - | nothing: 2% of a core while a run is watched |",
            ],
        )

    def test_only_what_was_measured(self):
        few = report()
        sides = few["parts"]["sides"]
        del sides["fcnx, from a pack"], sides["PyTorch, 2 workers"]
        for each in sides.values():
            each["median"] = {mode: took for mode, took in each["median"].items() if mode == "update"}
        rows = tables_parts.section(few).splitlines()[-1:]
        self.assertIn("| training step of 1 of 32x32, s | 0.5 | 0.75 | 1.50x |", rows[0])
        self.assertEqual(len(tables_parts.section(few).splitlines()), 5)

    def test_no_step_to_compare_with(self):
        few = copy.deepcopy(report())
        del few["cases"][1]
        text = tables_parts.section(few)
        self.assertIn("| decoding: 15.6 ms of a core each |", text)
        self.assertIn("| weights, their gradients and the update |", text)

    def test_a_pipeline_that_a_step_waits_for(self):
        slow = report()
        slow["cases"][1]["sides"]["fcnx"]["median"]["train"] = 0.03125
        self.assertIn("0.5 times what the training step of 8 of 64x96 takes", tables_parts.section(slow))


if __name__ == "__main__":
    unittest.main()
