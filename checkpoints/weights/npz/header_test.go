package npz

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseHeader(t *testing.T) {
	for _, c := range []struct {
		text string
		want header
	}{
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (64, 3, 3, 3), }      \n", header{"F32", 4, false, false, []int{64, 3, 3, 3}}},
		{`{"descr":">f8","fortran_order":True,"shape":(3,)}`, header{"F64", 8, true, true, []int{3}}},
		{"{'shape': (), 'fortran_order': False, 'descr': '|u1'}\n", header{"U8", 1, false, false, []int{}}},
		{"{'descr': '<i8', 'fortran_order': False, 'shape': (3L, 4L), }\n", header{"I64", 8, false, false, []int{3, 4}}},
		{"{'descr': '|b1', 'fortran_order': False, 'shape': ( 2 , 0 , ) }\n", header{"BOOL", 1, false, false, []int{2, 0}}},
	} {
		got, err := parseHeader(c.text)
		require.NoError(t, err, c.text)
		require.Equal(t, c.want, got)
	}
}

func TestParseHeaderRefuses(t *testing.T) {
	of := func(descr, order, shape string) string {
		return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }"
	}
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "its header ends where { should be"},
		{"a list", "[]", `its header has "[]" where { should be`},
		{"no end", "{'descr': '<f4'", "its header ends where } should be"},
		{"nothing", "{}", "needs descr, fortran_order and shape"},
		{"no shape", "{'descr': '<f4', 'fortran_order': False}", "needs descr, fortran_order and shape"},
		{"comma alone", "{,}", `has ",}" where a string should be`},
		{"no comma", "{'descr': '<f4' 'shape': ()}", "where } should be"},
		{"no colon", "{'descr' '<f4'}", "where : should be"},
		{"key twice", "{'descr': '<f4', 'descr': '<f4', 'shape': ()}", `has the key "descr" twice`},
		{"unknown key", "{'strides': (1,)}", `unknown key "strides"`},
		{"a number for a key", "{1: 2}", "where a string should be"},
		{"escape", `{'des\x63r': '<f4'}`, "where a string should be"},
		{"no end of a string", "{'descr", "where a string should be"},
		{"text after the end", of("'<f4'", "False", "()") + "import os", "9 bytes follow the end"},
		{"a call", of("'<f4'", "False", "tuple()"), "where a tuple should be"},
		{"expression", of("'<f4'", "False", "(3, 2**62)"), "where ) should be"},
		{"order is a number", of("'<f4'", "0", "()"), "where True or False should be"},
		{"number, not a tuple", of("'<f4'", "False", "(3)"), "where a comma, which makes a tuple, should be"},
		{"comma alone in a shape", of("'<f4'", "False", "(,)"), "where a size should be"},
		{"negative", of("'<f4'", "False", "(-1,)"), "where a size should be"},
		{"fraction", of("'<f4'", "False", "(1.0,)"), "where a comma, which makes a tuple, should be"},
		{"hexadecimal", of("'<f4'", "False", "(2, 0x10)"), "where ) should be"},
		{"underscore", of("'<f4'", "False", "(2, 1_0)"), "where ) should be"},
		{"2^64", of("'<f4'", "False", "(18446744073709551616,)"), "dimension 18446744073709551616 is too large"},
		{"many digits", of("'<f4'", "False", "("+strings.Repeat("9", 5000)+",)"), "is too large"},
		{"many dimensions", of("'<f4'", "False", "("+strings.Repeat("1,", 65)+")"), "more than 64 dimensions"},
		{"no end of a shape", "{'shape': (1, 2", "its header ends where ) should be"},
		{"deep nesting", "{'shape': " + strings.Repeat("(", 9000), "where a size should be"},
		{"objects", of("'|O'", "False", "(1,)"), "array of Python objects, which is a pickle and is not read"},
		{"objects with a size", of("'|O8'", "False", "(1,)"), "array of Python objects"},
		{"records", of("[('x', '<f4')]", "False", "(1,)"), "an array of records"},
		{"strings", of("'<U5'", "False", "(1,)"), `dtype "<U5" is not known`},
		{"complex", of("'<c8'", "False", "(1,)"), `dtype "<c8" is not known`},
		{"long double", of("'<f16'", "False", "(1,)"), `dtype "<f16" is not known`},
		{"no dtype", of("''", "False", "(1,)"), `dtype "" is not known`},
		{"no order", of("'|f4'", "False", "(1,)"), `dtype "|f4" does not say which byte comes first`},
		{"the machine's order", of("'=f4'", "False", "(1,)"), `dtype "=f4" does not say which byte comes first`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseHeader(c.text)
			require.ErrorContains(t, err, c.want)
			require.Less(t, len(err.Error()), 200)
		})
	}
}
