"""python3 -m unittest discover -s bench -p '*_test.py'"""

import contextlib
import io
import unittest

import scaling


class Scaling(unittest.TestCase):
    def test_command(self):
        args = scaling.parse(["--fcnx", "FCNX", "--devices", "4,1"])
        self.assertEqual(args.devices, [1, 4])
        self.assertEqual(
            " ".join(scaling.command(args, 4)),
            "FCNX bench --server --backend cpu --only train --arch fcn8s --encoder vgg16_bn --width 16 --head 512 --classes 11 --size 192x256 --batch 8 --devices 4",
        )

    def refused(self, *words: str) -> str:
        """What it says of a command line that it does not take."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said), self.assertRaises(SystemExit) as ended:
            scaling.parse(list(words))
        self.assertEqual(ended.exception.code, 2)
        return said.getvalue()

    def test_a_batch_that_cannot_be_shared(self):
        self.assertIn("--batch 8 cannot be shared among 3 devices", self.refused("--devices", "1,3"))
        self.assertIn("--devices", self.refused("--devices", "0,1"))

    def test_table(self):
        def side(seconds: float) -> dict:
            return {"median": {"train": seconds}, "min": {"train": seconds / 2}}

        report = {
            "date": "2026-11-29T04:00:00+00:00", "machine": {"cpu": "AMD EPYC", "cores": 2}, "backend": "cpu", "batch": 8, "size": "192x256",
            "net": {"arch": "fcn8s", "encoder": "vgg16_bn", "width": 16, "head": 512, "classes": 11}, "rounds": 5, "steps": 2,
            "sides": {"1": side(0.5), "2": side(0.625), "4": side(0.25)},
        }  # fmt: skip
        text = scaling.table(report)
        self.assertIn("| 1 | 0.500 (0.250) | 16 | 1.00x | 100% |", text)
        self.assertIn("| 2 | 0.625 (0.312) | 12.8 | 0.80x | 40% |", text)
        self.assertIn("| 4 | 0.250 (0.125) | 32 | 2.00x | 50% |", text)
        self.assertIn("devices of the CPU share its 2 cores", text)
        self.assertIn("adding the gradients, and images too few", scaling.table(report | {"backend": "cuda"}))


if __name__ == "__main__":
    unittest.main()
