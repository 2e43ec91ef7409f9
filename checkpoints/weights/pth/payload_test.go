package pth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each of these runs a command in Python's own reader, or calls something by a way of
// its own. They are read in both kinds of file, at the root and inside a tensor.
func TestPayloads(t *testing.T) {
	witness := filepath.Join(t.TempDir(), "witness")
	command := "touch " + witness
	const never = "it is not a state dict and nothing of it was run"
	for _, c := range []struct{ name, payload, want string }{
		{"GLOBAL and REDUCE", "cos\nsystem\n(" + text(command) + "tR", "the file wants to call os.system; " + never},
		{"posix", "cposix\nsystem\n(" + text(command) + "tR", "the file wants to call posix.system; " + never},
		{"GLOBAL alone", "cos\nsystem\n", "the file wants to call os.system; " + never},
		{"STACK_GLOBAL", "\x8c\x02os\x8c\x06system\x93" + text(command) + "\x85R", "the file wants to call os.system; " + never},
		{"STACK_GLOBAL by memo", "\x8c\x02os\x940\x8c\x06system\x940h\x00h\x01\x93" + text(command) + "\x85R", "the file wants to call os.system; " + never},
		{"STACK_GLOBAL without names", "NN\x93", "by a name that is no string"},
		{"INST", "(" + text(command) + "ios\nsystem\n", "the file wants to call os.system; " + never},
		{"OBJ", "(ccollections\nOrderedDict\n" + text(command) + "o", "the file wants to call a class by opcode OBJ; " + never},
		{"EXT1", "\x82\x01", "the file wants to call a function by its number (opcode EXT); " + never},
		{"EXT2", "\x83\x01\x00", never},
		{"EXT4", "\x84\x01\x00\x00\x00", never},
		{"NEWOBJ", "csubprocess\nPopen\n(" + text(command) + "t\x81", "the file wants to call subprocess.Popen; " + never},
		{"NEWOBJ_EX", "csubprocess\nPopen\n)}\x92", "the file wants to call subprocess.Popen; " + never},
		{"eval", "c__builtin__\neval\n(" + text("1") + "tR", "the file wants to call __builtin__.eval; " + never},
		{"getattr", "cbuiltins\ngetattr\n", "the file wants to call builtins.getattr; " + never},
		{"import", "cbuiltins\n__import__\n", "the file wants to call builtins.__import__; " + never},
		{"inside of a module of torch", "ctorch\nos.system\n", "the file wants to call torch.os.system; " + never},
		{"a dotted module", "ctorch._utils._rebuild_tensor_v2.__globals__\nos\n", never},
		{"torch.load of bytes", "ctorch.storage\n_load_from_bytes\n", "the file wants to call torch.storage._load_from_bytes; " + never},
		{"control characters", "cos\x1b[2J\nsystem\n", `the file wants to call os\x1b[2J.system; ` + never},
		{"BUILD on a class", "ccollections\nOrderedDict\n}" + text("__reduce__") + "cos\nsystem\nsb", "the file wants to call os.system; " + never},
		{"BUILD on a list", "]}b", "the pickle sets attributes of a list"},
		{"BUILD on a function", "ccollections\nOrderedDict\n}b", "the pickle sets attributes of collections.OrderedDict"},
		{"a call of a string", text("os.system") + ")R", "the pickle calls a string with a tuple"},
		{"a call of a type", "ctorch\nFloatStorage\n)R", "the pickle calls torch.FloatStorage, which nothing does in a state dict"},
		{"a call without arguments", "ccollections\nOrderedDict\nNR", "the pickle calls collections.OrderedDict with None"},
		{"a function through a tensor's type", "ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\n", never},
		{"a tensor's type of itself", "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nctorch\nTensor\n)}tR", "its arguments are not what torch.save writes"},
		{"a persistent id", text("os.system") + "Q", "refers to a storage in a way that torch.save does not"},
		{"PERSID", "Pos.system\n", "opcode 0x50"},
		{"protocol 0", "I1\n", "opcode 0x49"},
		{"out of band", "\x97", "opcode 0x97"},
		{"protocol 255", "\x80\xff", "pickle protocol 255 is not known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, pickle := range []string{"\x80\x02" + c.payload + ".", dictOf(c.payload), dictOf(tensorOf("FloatStorage", 1, 0, numbers(1), c.payload, ""))} {
				requireRefused(t, forgeZip(t, pickle, 4), c.want)
				requireRefused(t, forgeLegacy(strings.ReplaceAll(pickle, "tQ", "NtQ"), 1, 4), c.want)
				path := filepath.Join(t.TempDir(), "evil.pth")
				require.NoError(t, os.WriteFile(path, forgeZip(t, pickle, 4), 0o666))
				_, err := Open(path, InProcess)
				require.ErrorContains(t, err, path+": ")
			}
		})
	}
	// The other pickles of the older kind are read by the same machine.
	requireRefused(t, []byte("\x80\x02cos\nsystem\n("+text(command)+"tR."), "nothing of it was run")
	requireRefused(t, []byte(strings.Replace(legacyStart, "}.", "cos\nsystem\n("+text(command)+"tR.", 1)), never)
	requireRefused(t, []byte(legacyStart+"\x80\x02}.\x80\x02cos\nsystem\n("+text(command)+"tR."), never)
	require.NoFileExists(t, witness)
}

// The harmless twins of the payloads are read over.
func TestHarmless(t *testing.T) {
	for _, v := range []string{
		"c__builtin__\nset\n(](NetR", "\x8f(NK\x01\x90", "(NK\x01\x91", "cnumpy\ndtype\n" + text("f8") + "\x85R}b", "(NN1N", "N2\x86", "N(0", "B\x02\x00\x00\x00os",
		"cargparse\nNamespace\n)\x81}b", "c_codecs\nencode\n" + text("x") + text("latin1") + "\x86R", "(K\x01K\x02d", "(K\x01l", "]N" + "a", "\x8b\x00\x00\x00\x00", "G\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		pickle := "\x80\x02}(" + text("w") + tensorOf("FloatStorage", 1, 0, numbers(1), numbers(1), "") + text("x") + v + "u."
		f, err := openBytes(forgeZip(t, pickle, 4))
		require.NoError(t, err, "%q", v)
		require.Len(t, f.Infos(), 1)
	}
}
