"""python3 -m unittest discover -s bench -p '*_test.py'

The reports in testdata were recorded on a busy machine, of a net with a few thousand weights.
"""

import copy
import json
import tempfile
import unittest
from pathlib import Path

import page
import tables

TESTDATA = Path(__file__).parent / "testdata"


def recorded(name: str) -> dict:
    return json.loads((TESTDATA / name).read_text())


def case() -> dict:
    """Round numbers: forward does 40 of 100 GFLOP/s, a step 30, the rest of the step 26.7."""

    def side(infer, train, memory):
        return {"median": {"infer": infer, "train": train}, "min": {"infer": infer, "train": train},
                "compile_seconds": {"infer": 1, "train": 2}, "peak_rss_bytes": {"infer": 1e9, "train": memory}}  # fmt: skip

    return {
        "batch": 4, "height": 320, "width": 224, "precision": "float32",
        "multiply_adds": {"infer": 20e9, "train": 60e9},
        "product_flops": {"fcnx": 90e9, "PyTorch contiguous": 100e9},
        "sides": {"fcnx": side(1, 4, 3e9), "PyTorch contiguous": side(1.5, 7, 4e9), "PyTorch channels_last": side(2, 5, 6e9)},
    }  # fmt: skip


class Numbers(unittest.TestCase):
    def test_the_best_of_the_others_is_another_for_each_number(self):
        self.assertEqual(tables.faster(case(), "infer"), 1.5)
        self.assertEqual(tables.faster(case(), "train"), 1.25)
        self.assertEqual(tables.memory(case()), 0.75)

    def test_shares_are_of_the_fastest_product(self):
        share = tables.shares(case())
        self.assertEqual(tables.peak(case()), 100e9)
        self.assertAlmostEqual(share["infer"], 0.4)
        self.assertAlmostEqual(share["train"], 0.3)
        self.assertAlmostEqual(share["gradients"], 80 / 3 / 100)

    def test_limits(self):
        for share, want in (
            ({"infer": 0.7, "train": 0.65, "gradients": 0.6}, "inference: arithmetic; step: arithmetic"),
            ({"infer": 0.7, "train": 0.4, "gradients": 0.35}, "inference: arithmetic; step: gradients and update"),
            ({"infer": 0.3, "train": 0.3, "gradients": 0.3}, "inference: what surrounds the arithmetic; step: what surrounds the arithmetic"),
            ({"infer": 0.6}, "inference: arithmetic"),
            ({"infer": 1.3}, "inference: arithmetic"),
            ({"train": 0.59}, "step: what surrounds the arithmetic"),
        ):
            self.assertEqual(tables.limit(share), want)

    def test_one_mode_only(self):
        one = case()
        for side in one["sides"].values():
            del side["median"]["infer"]
        del one["multiply_adds"]["infer"]
        self.assertEqual([what for what in tables.RATIOS if tables.there(one, what)], ["training step", "memory"])
        self.assertEqual(set(tables.shares(one)), {"train"})

    def test_memory_is_the_gpus_where_there_is_one(self):
        one = case() | {"device": "cuda"}
        for side, size in zip(one["sides"].values(), (6e9, 8e9, 12e9)):
            side["device_bytes"] = {"infer": size / 2, "train": size}
        self.assertEqual(tables.memory(one), 0.75)
        self.assertEqual(tables.needed(one, one["sides"]["fcnx"], "infer"), 3e9)

    def test_a_precision_is_said_where_it_is_not_float32(self):
        self.assertEqual(tables.label(case()), "4 of 320x224")
        self.assertEqual(tables.label(case() | {"precision": "bfloat16"}), "4 of 320x224, bfloat16")


class Tables(unittest.TestCase):
    def setUp(self):
        self.report, self.before = recorded("report.json"), recorded("report-before.json")

    def test_a_recorded_report(self):
        text = tables.page(self.report, self.before)
        self.assertIn("fcn8s vgg11_bn, width 4, head 8, 11 classes, on 2 cores of AMD EPYC, 2026-11-29. fcnx 0.1.0-dev, PyTorch 2.15.0", text)
        self.assertIn("Medians of 2 rounds, in turns of 1 step after one that does not count, the", text)
        often = tables.heading(self.report | {"often": {"infer": 3}})
        self.assertIn("Medians of 2 rounds (inference has 3 turns in each), in turns of 1 step after", often)
        for case in self.report["cases"]:
            for name, side in case["sides"].items():
                infer = f"{side['median']['infer']:.3f} (" if "infer" in side["median"] else "- | "
                self.assertIn(f"| {tables.label(case)} | {name} | {infer}", text)
        self.assertIn("| 1 of 64x64 | 2.57x | 19.90x | 0.91x | 0.0 G | 0.0 G | 247 | 1% | 4% | - | inference: what surrounds the arithmetic; step: ", text)
        self.assertIn("| 2 of 64x96 | - | 2.24x | 0.92x | - | 0.0 G | 235 | - | 4% | - | step: what surrounds the arithmetic |", text)
        self.assertIn("| 1 of 64x64 | training step | 211.06x | 19.90x | 91% |", text)
        self.assertNotIn("| 2 of 64x96 | inference |", text)
        self.assertIn("| input pipeline, from a pack, images/s | 396.8 | 184.2 (2 workers) | 2.15x |", text)

    def test_turns_that_were_set_aside(self):
        self.assertEqual(tables.aside(self.report), [])
        case = self.report["cases"][0]
        sides = case["sides"]
        for i, side in enumerate(sides.values()):
            side["apart"] = {"infer": [0.25 * (i + 1)] * 3}
        sides["fcnx"]["between"] = {"infer": [0.3, 0.3], "train": [2.0]}
        (text,) = tables.aside(self.report)
        counts = ", ".join(["3"] * (len(sides) - 1))
        self.assertIn(f"| 1 of 64x64 | inference | 0.250 | 0.500 | 2.00x | 3 | {counts} | 2 |", text)
        zeros = ", ".join(["0"] * (len(sides) - 1))
        self.assertIn(f"| 1 of 64x64 | training step | - | - | - | 0 | {zeros} | 1 |", text)
        self.assertIn(text, tables.page(self.report, self.before))
        sides["fcnx"]["apart"]["infer"].pop()
        self.assertIn(f"| 1 of 64x64 | inference | - | 0.500 | - | 2 | {counts} | 2 |", tables.aside(self.report)[0])

    def test_turns_that_had_to_count(self):
        for how, want in (("apart", "shared no cache in any turn"), ("mixed", "are of all turns")):
            self.report["cases"][0]["pooled"] = {"infer": how}
            (text,) = tables.aside(self.report)
            self.assertIn("1 of 64x64, inference: ", text)
            self.assertIn(want, text)

    def test_how_many_rounds(self):
        self.report["cases"][0]["rounds"] = {"infer": 2, "train": 3}
        self.assertIn("Medians of 2 rounds, and of up to 3 where turns were set aside, in turns of", tables.heading(self.report))
        for case in self.report["cases"]:
            case["steps"].pop("infer", None)
        self.assertIn("Medians of 2 rounds, and of", tables.heading(self.report | {"often": {"infer": 3}}))

    def test_every_table_is_one(self):
        for block in tables.page(self.report, self.before).split("\n\n"):
            if block.startswith("|"):
                widths = {line.count("|") for line in block.splitlines()}
                self.assertEqual(len(widths), 1, block)
                self.assertGreater(len(block.splitlines()), 2, block)

    def test_parts_only_where_they_were_measured(self):
        del self.report["parts"]
        self.assertNotIn("The rest of a run", tables.page(self.report, self.before))


class Twice(unittest.TestCase):
    def setUp(self):
        self.report = recorded("report.json")
        self.before = copy.deepcopy(self.report)

    def slower(self, by: float) -> str:
        for mode in tables.MODES:
            self.before["cases"][0]["sides"]["fcnx"]["median"][mode] *= by
        return tables.twice(self.report, self.before)

    def test_the_same(self):
        self.assertIn("are within 10% of each other; the furthest are 0% apart", self.slower(1))

    def test_close(self):
        self.assertIn("are within 10% of each other; the furthest are 9% apart", self.slower(1.09))

    def test_far(self):
        self.assertIn("are not within 10% of each other; the furthest are 12% apart", self.slower(1.12))

    def test_far_the_other_way(self):
        self.assertIn("are not within 10% of each other; the furthest are 12% apart", self.slower(0.88))

    def test_once(self):
        self.assertIn("Measured once", tables.twice(self.report, None))

    def test_another_machine(self):
        self.before["machine"]["cores"] += 1
        self.assertIn("another net or another machine", tables.twice(self.report, self.before))

    def test_another_net(self):
        self.before["net"]["width"] += 1
        self.assertIn("another net or another machine", tables.twice(self.report, self.before))

    def test_a_busier_machine_is_the_same(self):
        self.before["machine"]["load_before"] += 1
        self.assertIn("within 10%", tables.twice(self.report, self.before))

    def test_other_shapes(self):
        for case in self.before["cases"]:
            case["height"] += 32
        self.assertIn("other shapes", tables.twice(self.report, self.before))

    def test_one_shape_in_both(self):
        self.before["cases"][1]["batch"] += 1
        text = self.slower(1)
        self.assertIn("| 1 of 64x64 | memory |", text)
        self.assertNotIn("2 of 64x96", text)


class Page(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "page.md"

    def test_only_what_is_between_the_markers_changes(self):
        begin, end = page.markers("latest")
        self.path.write_text(f"# Title\n\n{begin}\nold\n{end}\n\nThe rest.\n")
        page.write(self.path, "latest", "new\n")
        want = f"# Title\n\n{begin}\n\nnew\n\n{end}\n\nThe rest.\n"
        self.assertEqual(self.path.read_text(), want)
        page.write(self.path, "latest", "new")
        self.assertEqual(self.path.read_text(), want)

    def test_a_page_without_them_is_refused(self):
        begin, end = page.markers("latest")
        other, _ = page.markers("narrow")
        for text in ("", begin, f"{end}\n{begin}", f"{begin}\n{begin}\n{end}", f"{other}\n{end}"):
            self.path.write_text(text)
            with self.assertRaisesRegex(SystemExit, "needs these two lines"):
                page.check(self.path, "latest")

    def test_no_page(self):
        with self.assertRaisesRegex(SystemExit, "--doc: .*No such file"):
            page.check(self.path, "latest")


if __name__ == "__main__":
    unittest.main()
