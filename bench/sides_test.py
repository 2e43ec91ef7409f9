"""python3 -m unittest discover -s bench -p '*_test.py'"""

import contextlib
import sys
import tempfile
import unittest

from sides import Side, in_turns, pool, product

# A program that answers as the real ones do, a step of each taking another time.
ANSWERS = """
import json, sys
print(json.dumps({"ready": True, "compile_seconds": {"infer": 1, "train": 2}, "peak_rss_bytes": {"infer": 3, "train": 4}}), flush=True)
for line in sys.stdin:
    mode, count = line.split()
    print(line.strip(), sys.argv[1], file=open(sys.argv[2], "a"))
    seconds = [{"infer": 0.5, "train": 2, "product": 0.25}[mode] * float(sys.argv[1])] * int(count)
    print(json.dumps({"mode": mode, "seconds": seconds, "multiply_adds": 1000, "peak_rss_bytes": 100 * len(mode) + int(count)}), flush=True)
"""


class Sides(unittest.TestCase):
    def side(self, program: str, *args: str, name: str = "it") -> Side:
        side = Side(name, [sys.executable, "-c", program, *args])
        self.addCleanup(self.end, side)
        return side

    def end(self, side: Side) -> None:
        with contextlib.suppress(BrokenPipeError):
            side.process.stdin.close()
        side.process.wait()
        side.process.stdout.close()

    def test_turns(self):
        with tempfile.NamedTemporaryFile("r") as log:
            sides = [self.side(ANSWERS, factor, log.name, name=factor) for factor in ("1", "2", "3")]
            for side in sides:
                side.start()
            sides[0].modes = sides[1].modes = ("infer", "train", "product")
            in_turns(sides, 2, {"infer": 3, "train": 2, "product": 3}, lambda text: None, {"infer": 2})
            for side in sides:
                side.stop()
            said = log.read().splitlines()
        there, back = ["1", "2", "3"], ["3", "2", "1"]
        want = []
        for order in (there, back):
            want += [f"infer 4 {who}" for who in (*order, *order[::-1])]
            want += [f"train 3 {who}" for who in order]
            want += [f"product 3 {who}" for who in order if who != "3"]
        self.assertEqual(said, want)
        self.assertEqual(sides[1].summary()["median"], {"infer": 1.0, "train": 4.0})
        self.assertEqual(len(sides[1].summary()["seconds"]["train"]), 4)
        self.assertEqual(sides[2].summary()["compile_seconds"], {"infer": 1, "train": 2})
        self.assertEqual(sides[2].summary()["peak_rss_bytes"], {"infer": 3, "train": 503})
        self.assertEqual(set(sides[2].summary()), {"compile_seconds", "peak_rss_bytes", "seconds", "median", "min"})
        self.assertEqual(product(sides), {"1": 8000.0, "2": 4000.0})

    def turned(self, apart, rounds=2):
        """Two sides' infer, a step a turn, after in_turns: how each ended, how many rounds there were, and how it was pooled. apart:
        what is told, in the order of the questions, before and after each turn; False from then on."""
        with tempfile.NamedTemporaryFile("r") as log:
            sides = [self.side(ANSWERS, factor, log.name, name=factor) for factor in ("1", "2")]
            for side in sides:
                side.modes = ("infer",)
                side.start()
            told = iter(apart)
            done = in_turns(sides, rounds, {"infer": 1}, lambda text: None, apart=lambda: next(told, False))
            how = pool(sides, "infer")
            for side in sides:
                side.stop()
            self.assertEqual(len(log.read().splitlines()), 2 * done["infer"])
        return [side.summary() for side in sides], done["infer"], how

    def test_turns_with_the_cores_apart(self):
        """Of two rounds the first side is apart in one: half are left, which is enough."""
        (one, other), rounds, how = self.turned([True, True])
        self.assertEqual((rounds, how), (2, ""))
        self.assertEqual((one["seconds"], one["apart"]), ({"infer": [0.5]}, {"infer": [0.5]}))
        self.assertEqual(other["seconds"], {"infer": [1.0, 1.0]})
        self.assertNotIn("apart", other)
        self.assertNotIn("between", one)

    def test_more_rounds_where_few_turns_are_left(self):
        """The cores part in the first side's first turn, and are apart in its second; a third round makes up for them."""
        (one, other), rounds, how = self.turned([False, True, False, False, False, False, True, True])
        self.assertEqual((rounds, how), (3, ""))
        self.assertEqual((one["seconds"], one["between"], one["apart"]), ({"infer": [0.5]}, {"infer": [0.5]}, {"infer": [0.5]}))
        self.assertEqual(other["seconds"], {"infer": [1.0, 1.0, 1.0]})

    def test_cores_that_are_always_apart(self):
        """Then that is how the machine is, and no more rounds are taken."""
        (one, other), rounds, how = self.turned([True] * 100)
        self.assertEqual((rounds, how), (2, "apart"))
        for summary, seconds in ((one, 0.5), (other, 1.0)):
            self.assertEqual(summary["seconds"], {"infer": [seconds] * 2})
            self.assertNotIn("apart", summary)

    def test_one_side_always_apart(self):
        """In four rounds the first side, which is first and last by turns, has no turn that counts."""
        first, last = [True, True, False, False], [False, False, True, True]
        (one, other), rounds, how = self.turned((first + last) * 2)
        self.assertEqual((rounds, how), (4, "mixed"))
        self.assertEqual((one["seconds"], other["seconds"]), ({"infer": [0.5] * 4}, {"infer": [1.0] * 4}))

    def test_what_only_some_say(self):
        """A save holds training up, a loader handles images, and an accelerator has memory of its own."""
        it = Side("it", [], ("checkpoint_save", "train"))
        graph = {"arguments": 100, "outputs": 60, "aliased": 50, "temporaries": 20, "code": 3}
        it.ready = {
            "compile_seconds": {"checkpoint_save": 1, "train": 2}, "peak_rss_bytes": {"checkpoint_save": 5, "train": 9},
            "amounts": {"checkpoint_save": 1000, "train": 4}, "device_memory": {"train": graph},
        }  # fmt: skip
        it.seconds = {"checkpoint_save": [2, 4, 3], "train": [1]}
        it.still = {"checkpoint_save": [0.5, 0.25, 1], "train": []}
        done = it.summary()
        self.assertEqual(done["still"], {"checkpoint_save": 0.5})
        self.assertEqual(done["amounts"], {"checkpoint_save": 1000, "train": 4})
        self.assertEqual(done["device_bytes"], {"train": 133})
        it.ready["device_memory"], it.ready["device_bytes"], it.device = {}, {"train": 70}, {"train": 80}
        self.assertEqual(it.summary()["device_bytes"], {"train": 80})

    def test_what_is_no_answer(self):
        for program, want in (
            ("", "it ended with exit code 0 while getting ready"),
            ("raise SystemExit(5)", "it ended with exit code 5 while getting ready"),
            ("print('hello')", "it answered 'hello': not a line of JSON"),
            ("print('{}')", "it began with {}, not with a ready line"),
        ):
            with self.assertRaisesRegex(SystemExit, want):
                self.side(program).start()

    def test_an_answer_to_another_question(self):
        side = self.side("print('{\"ready\":1}', flush=True); input(); print('{\"mode\":\"infer\",\"seconds\":[1]}')")
        side.start()
        with self.assertRaisesRegex(SystemExit, "it answered infer 2 with"):
            side.ask("infer", 2)

    def test_one_that_has_ended(self):
        side = self.side("print('{\"ready\":1}', flush=True); raise SystemExit(3)")
        side.start()
        side.process.wait()
        with self.assertRaisesRegex(SystemExit, "ended with exit code 3 while train 1"):
            side.ask("train", 1)

    def test_no_such_program(self):
        with self.assertRaisesRegex(SystemExit, "it does not start"):
            Side("it", ["/nonexistent/program"]).start()


if __name__ == "__main__":
    unittest.main()
