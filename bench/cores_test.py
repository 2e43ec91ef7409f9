"""python3 -m unittest discover -s bench -p '*_test.py'"""

import os
import unittest
from unittest import mock

import cores


class Cores(unittest.TestCase):
    def test_apart(self):
        for there, far, want in (({0, 1}, 2.1, False), ({0, 1}, 8.1, True), ({3, 5, 6}, 8.1, True), ({4}, 8.1, False)):
            with mock.patch("os.sched_getaffinity", return_value=there), mock.patch.object(cores, "distance", return_value=far) as asked:
                self.assertEqual(cores.apart(), want, (there, far))
                self.assertEqual([call.args for call in asked.mock_calls], [tuple(sorted(there)[:2])] if len(there) > 1 else [])

    def test_distance_of_real_cores(self):
        try:
            import numpy  # noqa: F401
        except ImportError:
            self.skipTest("no numpy here: cores.py is for the benchmark, whose packages bench/venv.sh installs")
        before = os.sched_getaffinity(0)
        one = min(before)
        self.assertGreater(cores.distance(one, max(before)), 0.1)
        self.assertEqual(os.sched_getaffinity(0), before)


if __name__ == "__main__":
    unittest.main()
