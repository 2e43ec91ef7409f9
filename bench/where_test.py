import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import where

SOURCE = """
extern int known(int);
int twice(int a) { int s = 0; for (int i = 0; i < a; i++) s += i * (a ^ 77) + (s >> 3) * (i ^ 1234567); return s; }
int through(int a) { int s = known(a); for (int i = 0; i < a; i++) s += i * (a ^ 99) - (s >> 5) * (i ^ 7654321); return s + known(s); }
"""


class Where(unittest.TestCase):
    @unittest.skipUnless(all(map(shutil.which, ("gcc", "objcopy", "readelf", "nm"))), "needs gcc and binutils, with which fcnx is built; where.py says so itself")
    def test_functions_are_found_in_memory(self):
        with tempfile.TemporaryDirectory() as folder:
            source, built, code = (Path(folder, name) for name in ("a.c", "a.o", "code"))
            source.write_text(SOURCE)
            subprocess.run(["gcc", "-O1", "-c", str(source), "-o", str(built)], check=True)
            subprocess.run(["objcopy", "-O", "binary", "--only-section=.text", str(built), str(code)], check=True)
            memory, found = bytearray(code.read_bytes()), where.functions(built)
            calls = [int(line.split()[0], 16) for line in where.output("readelf", "-rW", str(built)).splitlines() if "known" in line]
            starts = {line.split()[3]: int(line.split()[0], 16) for line in where.output("nm", "-S", "--defined-only", str(built)).splitlines()}
        self.assertEqual(len(calls), 2)
        for at in calls:  # a linker writes the addresses of what is called over what the object has there
            memory[at : at + 4] = b"\x12\x34\x56\x78"
        places = where.locate(found, [(0x1000, b"\0" * 64), (0x7000, b"\xcc" * 100 + bytes(memory))])
        self.assertEqual({name: first for first, _, name in places}, {name: 0x7000 + 100 + start for name, start in starts.items()})
        self.assertEqual({name: last - first for first, last, name in places}, {name: size for name, size, *_ in found})

    def test_functions_that_are_the_same_share_their_names(self):
        code = bytes(range(where.SHORT))
        found = [("b", 40, 2, code), ("a", 40, 2, code), ("other", 40, 0, code[::-1]), ("short", 9, 0, code[:9])]
        places = where.locate(found, [(0x1000, b"\xcc" * 10 + code + b"\xcc" * 10 + code), (0x2000, code[::-1])])
        self.assertEqual(places, [(0x1008, 0x1030, "a | b"), (0x1032, 0x105A, "a | b"), (0x2000, 0x2028, "other")])

    def test_samples_are_sorted(self):
        samples = [
            "  1010 [unknown] (//anon)",
            "  1fff [unknown] (//anon)",
            "  20 void Eigen::internal::gemm_pack_colmajor_block<float, ImagePatchOp> (plugin.so)",
            "  30 void Eigen::internal::gemm_pack_colmajor_block<float> (plugin.so)",
            "  ffffffff81 clear_page ([kernel.kallsyms])",
            "  40 malloc (/lib/libc.so.6)",
            "  50 [unknown] (/lib/x.so)",
            "",
        ]
        seen = where.sort(samples, [(0x1000, 0x1020, "add_fusion.3")])
        self.assertEqual(
            dict(seen),
            {
                "add_fusion.3": 1,
                "made at run time, not by XLA: products (oneDNN)": 1,
                "windows laid out for a convolution's product (Eigen)": 1,
                "factors laid out for a product (Eigen)": 1,
                "the kernel": 1,
                "malloc (/lib/libc.so.6)": 1,
                "[unknown] (/lib/x.so)": 1,
            },
        )

    def test_a_program_is_described(self):
        hlo = """HloModule m
%fused_computation.3 (param_0: f32[8,4]) -> f32[4,8] {
  %param_0 = f32[8,4]{1,0} parameter(0)
  %multiply.1 = f32[8,4]{1,0} multiply(%param_0, %param_0)
  ROOT %transpose.5 = f32[4,8]{1,0} transpose(%multiply.1), dimensions={1,0}
}

ENTRY %main (a: f32[8,4]) -> f32[4,8] {
  ROOT %transpose_fusion.3 = f32[4,8]{1,0} fusion(%a), kind=kLoop, calls=%fused_computation.3
}
"""
        self.assertEqual(where.describe("transpose_fusion.3", hlo), "f32[4,8] multiply transpose")
        self.assertEqual(where.describe("transpose_fusion.3 | transpose_fusion.4", hlo), "f32[4,8] multiply transpose")
        self.assertEqual(where.describe("malloc", hlo), "")


if __name__ == "__main__":
    unittest.main()
