"""python3 -m unittest discover -s bench -p '*_test.py'"""

import unittest

import curve


def events(evaluations: int) -> list[dict]:
    started = {"kind": "started", "time": "2026-01-01T10:00:00.5Z", "model": "fcn8s", "encoder": "vgg16", "backend": "cuda", "data": "camvid:d"}
    steps = [{"kind": "step", "step": i, "images": 8, "step_ms": 90.0, "data_ms": 10.0 if i else 5000.0} for i in range(5)]
    scores = [
        {"kind": "eval", "time": f"2026-01-01T10:{i + 1:02}:30.123456789Z", "step": 10 * i, "mean_iou": 0.5 - abs(i - 3) / 100, "pixel_accuracy": 0.9, "loss": 0.25}
        for i in range(evaluations)
    ]
    return [started, *steps, *scores]


class Table(unittest.TestCase):
    def test_minutes_speed_and_the_best(self):
        lines = curve.table(events(5)).splitlines()
        self.assertEqual(lines[0], "fcn8s vgg16 on cuda, camvid:d; 80 images/s in the median step:")
        self.assertEqual(lines[4], "| 1.5 | 0 | 0.470 | 0.900 | 0.250 |")
        self.assertIn("| 4.5 | 30 (best) | 0.500 | 0.900 | 0.250 |", lines)
        self.assertEqual(len(lines), 4 + 5)

    def test_a_long_run_is_thinned_but_for_the_best_and_the_last(self):
        lines = curve.table(events(50)).splitlines()
        self.assertLessEqual(len(lines), 4 + curve.ROWS)
        self.assertTrue(any("(best)" in line for line in lines))
        self.assertTrue(lines[-1].startswith("| 50.5 | 490 |"))

    def test_a_run_that_was_never_scored(self):
        with self.assertRaisesRegex(SystemExit, "was never scored"):
            curve.table(events(0))


if __name__ == "__main__":
    unittest.main()
