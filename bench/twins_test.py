"""python3 -m unittest discover -s bench -p '*_test.py'"""

import json
import os
import sys
import tempfile
import time
import unittest
from pathlib import Path

import twins

# Writes a number at a time, so that it takes many slices.
COUNTS = "import time\nfor i in range(40): print(i, flush=True); time.sleep(0.01)"
ENDLESS = "while True: pass"


class Slices(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def runner(self, name: str, program: str) -> twins.Runner:
        return twins.Runner(name, [sys.executable, "-c", program], self.folder / name)

    def test_each_runs_to_its_end_though_it_is_stopped(self):
        runners = [self.runner("a", COUNTS), self.runner("b", COUNTS)]
        twins.in_slices(runners, 0.05)
        for runner in runners:
            self.assertEqual(runner.log.read_text().split(), [str(i) for i in range(40)])
            self.assertEqual(runner.process.returncode, 0)
            self.assertGreater(runner.seconds, 0.3)

    def test_a_slice_that_is_over_finds_it_stopped(self):
        runner = self.runner("a", ENDLESS)
        self.addCleanup(runner.kill)
        self.assertFalse(runner.run(0.1))
        stat = Path(f"/proc/{runner.process.pid}/stat")
        for _ in range(1000):  # a signal takes a moment
            if stat.read_text().rpartition(")")[2].split()[0] == "T":
                return
            time.sleep(0.01)
        self.fail(stat.read_text())

    def test_a_failure_leaves_none_behind(self):
        endless, fails = self.runner("endless", ENDLESS), self.runner("fails", "raise SystemExit(3)")
        with self.assertRaisesRegex(SystemExit, "fails ended with exit code 3"):
            twins.in_slices([endless, fails], 0.1)
        self.assertEqual(endless.process.returncode, -9)
        with self.assertRaises(ProcessLookupError):
            os.killpg(endless.process.pid, 0)


class Reports(unittest.TestCase):
    def test_evaluations_of_both(self):
        want = [{"step": 92, "mean_iou": 0.3, "pixel_accuracy": 0.8, "class_iou": {"sky": 0.3, "pole": None}}]
        events = [
            '{"kind":"started","step":0}',
            '{"kind":"phase","name":"eval","step":92}',
            '{"kind":"eval","step":92,"pixel_accuracy":0.8,"mean_accuracy":0.4,"mean_iou":0.3,"class_iou":{"sky":0.3,"pole":null}}',
            '{"kind":"finished","step":92,"mean_iou":0.3,"pixel_accuracy":0.8}',
        ]
        self.assertEqual(twins.evaluations(events), want)
        want[0]["class_iou"] = [0.3, None]
        said = ['{"step":92,"mean_iou":0.3,"pixel_accuracy":0.8,"class_iou":[0.3,null]}', '{"steps":92,"step_seconds":1}']
        self.assertEqual(twins.evaluations(said), want)

    def test_a_step_that_was_stopped_counts_as_any(self):
        times = [(500, 10), (20_500, 20_000), (500, 30), (400, 10)]
        events = [json.dumps({"kind": "step", "step": 2 * i, "step_ms": step, "data_ms": data}) for i, (step, data) in enumerate(times, 1)]
        self.assertEqual(twins.waits(['{"kind":"started","step":0}', *events, '{"kind":"finished","step":8}']), {"step_ms": 4.0, "data_ms": 0.16})

    def test_table(self):
        def side(seconds, *scores):
            return {"seconds": seconds, "evaluations": [{"step": i, "mean_iou": s, "pixel_accuracy": s + 0.25} for i, s in enumerate(scores)]}

        report = {
            "date": "2026-11-29T04:00:00+00:00", "machine": {"cpu": "AMD EPYC", "cores": 2}, "recipe": "recipes/camvid-narrow.toml", "epochs": 40.0, "seed": 2, "waits": {"step_ms": 800.0, "data_ms": 20.0},
            "sides": {"fcnx": side(1000.4, 0.25, 0.55, 0.5), "PyTorch channels_last": side(1500.6, 0.25, 0.5)},
        }  # fmt: skip
        text = twins.table(report)
        self.assertIn("`recipes/camvid-narrow.toml`, 40 epochs, seed 2, in turns on 2 cores of AMD EPYC, 2026-11-29:", text)
        self.assertIn("| fcnx | 1000 | 0.550 | 0.500 | 0.750 |", text)
        self.assertIn("| PyTorch channels_last | 1501 | 0.500 | 0.500 | 0.750 |", text)
        self.assertIn("fcnx is 1.50 times as fast; its best mIoU is 5.0 points above its twin's. ", text)
        self.assertIn("What limits fcnx: steps are 80% of its time, waiting for data 2%;", text)


if __name__ == "__main__":
    unittest.main()
