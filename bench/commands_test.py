"""python3 -m unittest discover -s bench -p '*_test.py'"""

import contextlib
import io
import unittest
import unittest.mock
from pathlib import Path

import commands
import compare


def parsed(*words: str):
    return compare.parse(["--fcnx", "FCNX", *words])


class Steps(unittest.TestCase):
    def test_on_the_cpu(self):
        sides = commands.of_steps(parsed("--width", "4"), (2, 64, 96), ["inference", "train"], "bfloat16")
        self.assertEqual([side.name for side in sides], ["fcnx", "PyTorch contiguous", "PyTorch channels_last", "PyTorch compiled"])
        shape = "--size 64x96 --batch 2 --precision bfloat16"
        net = "--only inference,train --arch fcn8s --encoder vgg16 --width 4 --head 4096 --classes 21"
        self.assertEqual(" ".join(sides[0].command), f"FCNX bench --server --backend cpu {net} {shape}")
        self.assertTrue(Path(sides[1].command[1]).is_file())
        self.assertEqual(" ".join(sides[1].command[2:]), f"--server --device cpu {net} {shape} --format contiguous")
        self.assertEqual(sides[2].command[-2:], ["--format", "channels_last"])
        self.assertEqual(sides[3].command[-3:], ["--format", "channels_last", "--compile"])
        self.assertEqual([side.modes for side in sides], [("infer", "train", "product")] * 2 + [("infer", "train")] * 2)

    def test_on_a_gpu(self):
        args = parsed()
        args.device = "cuda"
        sides = commands.of_steps(args, (8, 320, 320), ["train"], "float32")
        self.assertEqual([side.name for side in sides], ["fcnx", "PyTorch channels_last", "PyTorch compiled"])
        self.assertEqual(sides[0].command[:7], ["FCNX", "bench", "--server", "--backend", "cuda", "--only", "train"])
        self.assertEqual(sides[1].command[2:7], ["--server", "--device", "cuda", "--only", "train"])
        self.assertEqual(sides[2].modes, ("train",))

    def test_without_a_compiler(self):
        sides = commands.of_steps(parsed("--no-compile"), (1, 64, 64), ["inference"], "float32")
        self.assertEqual([side.name for side in sides], ["fcnx", "PyTorch contiguous", "PyTorch channels_last"])


class Machine(unittest.TestCase):
    def test_cpu(self):
        info = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\nmodel name\t: other\n"
        self.assertEqual(compare.cpu(info), "AMD EPYC (family 25, model 17)")
        self.assertTrue(compare.cpu("processor\t: 0\nBogoMIPS\t: 50\n"))  # of an ARM


class Parts(unittest.TestCase):
    def test_all(self):
        sides = commands.of_parts(parsed("--workers", "3"), "folder:D", "F")
        self.assertEqual([side.name for side in sides], ["fcnx", "fcnx, from a pack", "PyTorch", "PyTorch, 3 workers"])
        ours, packed, theirs, workers = [" ".join(side.command) for side in sides]
        where = "--size 360x480 --batch 8 --out F --data folder:D"
        self.assertIn("--only data,eval,checkpoint,update,dashboard,inference ", ours)
        self.assertTrue(ours.endswith(f"{where} --set augment.crop=320x320 --set augment.flip=true"), ours)
        self.assertIn("--only data ", packed)
        self.assertTrue(packed.endswith("--set augment.flip=true --set data.pack=F/pack"), packed)
        self.assertIn("--only data,eval,checkpoint,update ", theirs)
        self.assertTrue(theirs.endswith(f"{where} --crop 320x320 --format channels_last"), theirs)
        self.assertIn("--only data,eval ", workers)
        self.assertTrue(workers.endswith("--workers 3"), workers)
        self.assertEqual(
            sides[0].modes, ("data", "eval", "checkpoint_save", "checkpoint_load", "update", "dashboard", "infer", "checkpoint_disk")
        )
        self.assertEqual(sides[2].modes, ("data", "eval", "checkpoint_save", "checkpoint_load", "update"))

    def test_only_who_has_something_to_do(self):
        sides = commands.of_parts(parsed("--parts", "checkpoint"), "", "F")
        self.assertEqual([side.name for side in sides], ["fcnx", "PyTorch"])
        self.assertNotIn("--data", sides[0].command)

    def test_every_mode_has_its_turn(self):
        for side in commands.of_parts(parsed(), "folder:D", "F"):
            self.assertLessEqual(set(side.modes), set(compare.TURNS))


class CompareFlags(unittest.TestCase):
    def refused(self, *words: str) -> str:
        """What it says of a command line that it does not take."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said), self.assertRaises(SystemExit) as ended:
            parsed(*words)
        self.assertEqual(ended.exception.code, 2)
        return said.getvalue()

    def test_shapes(self):
        both = ["inference", "train"]
        self.assertEqual(parsed("--shapes", "1x64x32,4x32x32:train").shapes, [((1, 64, 32), both), ((4, 32, 32), ["train"])])
        self.assertEqual(parsed("--size", "64x32").shapes, [((1, 64, 32), both)])
        self.assertEqual(parsed("--batch", "4").shapes, [((4, 320, 320), both)])
        self.assertIn(((1, 512, 512), ["inference"]), parsed().shapes)

    def test_turns_of_fast_steps_have_more(self):
        self.assertEqual([compare.fitting(1, step) for step in (4, 0.6, 0.4, 0.21, 1e-4)], [1, 1, 2, 4, 5])

    def test_a_machine_without_a_gpu(self):
        for code, want in ((9, "PyTorch finds no NVIDIA GPU on this machine; leave --device out to measure the CPU$"), (1, "PyTorch does not start")):
            ended = unittest.mock.Mock(returncode=code)
            with unittest.mock.patch("subprocess.run", return_value=ended), self.assertRaisesRegex(SystemExit, "^compare.py: --device cuda: " + want):
                parsed("--device", "cuda")
        with unittest.mock.patch("subprocess.run", return_value=unittest.mock.Mock(returncode=0)):
            args = parsed("--device", "cuda")
        self.assertEqual([shape for shape, _ in args.shapes], [(1, 320, 320), (8, 320, 320), (32, 320, 320)])
        self.assertEqual((args.precision, args.out.name), (["float32", "bfloat16"], "cuda.json"))

    def test_precisions_and_parts(self):
        self.assertEqual(parsed().precision, ["float32"])
        self.assertEqual(parsed("--precision", "float32,bfloat16").precision, ["float32", "bfloat16"])
        self.assertEqual(parsed("--parts", "none").parts, [])
        self.assertEqual(parsed("--parts", "update,data").parts, ["update", "data"])

    def test_what_it_does_not_take(self):
        for words, want in (
            (["--batch", "0"], "--batch 0: at least 1 image"),
            (["--shapes", "1x64x64", "--batch", "4"], "--shapes says every batch and size: leave out --size and --batch"),
            (["--size", ""], "--shapes: '1x' is not NxHxW, as in 1x320x320"),
            (["--shapes", "1x320"], "--shapes: '1x320' is not NxHxW, as in 1x320x320"),
            (["--shapes", "1xax3"], "--shapes: '1xax3' is not NxHxW"),
            (["--shapes", "1x32x32:eval"], "--shapes: there is no 'eval'; there are inference, train"),
            (["--precision", "float16"], "--precision: there is no 'float16'; there are float32, bfloat16"),
            (["--parts", "data,speed"], "--parts: there is no 'speed'; there are data, eval, checkpoint, update, dashboard"),
            (["--device", "tpu"], "--device"),
            (["--rounds", "0"], "--rounds and --warmup are at least 1"),
        ):
            self.assertIn(want, self.refused(*words))


if __name__ == "__main__":
    unittest.main()
