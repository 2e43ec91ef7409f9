package weights

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/memtest"
	"github.com/stretchr/testify/require"
)

// net lists the variables of an FCN-8s, as models would.
func net(width, head, classes int, norm bool, depthwise bool) []checkpoints.Info {
	var vars []checkpoints.Info
	add := func(name string, shape ...int) {
		vars = append(vars, checkpoints.Info{Name: name, DType: "F32", Shape: shape})
	}
	in := 3
	for stage, n := range []int{2, 2, 3, 3, 3} {
		out := width << min(stage, 3)
		for i := range n {
			id := fmt.Sprintf("%d_%d", stage+1, i+1)
			add("conv"+id+"/weight", 3, 3, in, out)
			add("conv"+id+"/bias", out)
			if norm {
				for _, p := range []string{"weight", "bias", "running_mean", "running_var"} {
					add("bn"+id+"/"+p, out)
				}
			}
			in = out
		}
	}
	add("fc6/weight", 7, 7, in, head)
	add("fc6/bias", head)
	add("fc7/weight", 1, 1, head, head)
	add("fc7/bias", head)
	for _, s := range []struct {
		name string
		in   int
	}{{"score_fr", head}, {"score_pool4", 8 * width}, {"score_pool3", 4 * width}} {
		add(s.name+"/weight", 1, 1, s.in, classes)
		add(s.name+"/bias", classes)
	}
	for _, u := range []struct {
		name string
		size int
	}{{"upscore2", 4}, {"upscore_pool4", 4}, {"upscore8", 16}} {
		if depthwise {
			add(u.name+"/weight", u.size, u.size, classes)
		} else {
			add(u.name+"/weight", u.size, u.size, classes, classes)
		}
	}
	return vars
}

// random gives every variable values of its own.
func random(vars []checkpoints.Info) map[string][]float32 {
	rng := rand.New(rand.NewPCG(1, 2))
	values := map[string][]float32{}
	for _, v := range vars {
		n := 1
		for _, d := range v.Shape {
			n *= d
		}
		list := make([]float32, n)
		for i := range list {
			list[i] = float32(rng.NormFloat64())
		}
		values[v.Name] = list
	}
	return values
}

func export(t testing.TB, vars []checkpoints.Info, values map[string][]float32) string {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	_, err := Export(path, vars, map[string]string{"fcnx.config": "[model]\n"}, func(name string) ([]float32, error) { return values[name], nil })
	require.NoError(t, err)
	return path
}

func collect(into map[string][]float32) func(string, []float32) error {
	return func(name string, values []float32) error {
		into[name] = values
		return nil
	}
}

func TestExportThenImport(t *testing.T) {
	for _, depthwise := range []bool{false, true} {
		vars := net(4, 16, 5, true, depthwise)
		values := random(vars)
		path := export(t, vars, values)
		got := map[string][]float32{}
		require.NoError(t, Import(path, vars, collect(got)))
		require.Equal(t, values, got)

		f, err := checkpoints.Open(path)
		require.NoError(t, err)
		defer f.Close()
		require.Equal(t, map[string]string{"fcnx.config": "[model]\n"}, f.Metadata())
		shapes := map[string][]int{}
		for _, info := range f.Infos() {
			require.Equal(t, "F32", info.DType)
			shapes[info.Name] = info.Shape
		}
		require.Equal(t, []int{16, 32, 7, 7}, shapes["fc6.weight"])
		require.Equal(t, []int{4}, shapes["bn1_1.running_mean"])
		if depthwise {
			require.Equal(t, []int{5, 1, 16, 16}, shapes["upscore8.weight"])
		} else {
			require.Equal(t, []int{5, 5, 16, 16}, shapes["upscore8.weight"])
		}
	}
}

func TestExportLeavesWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "w.safetensors")
	require.NoError(t, os.WriteFile(path, []byte("before"), 0o666))
	vars := []checkpoints.Info{{Name: "a/bias", DType: "F32", Shape: []int{3}}, {Name: "fc6/weight", DType: "F32", Shape: []int{1, 2, 1, 3}}}
	for _, c := range []struct {
		name   string
		vars   []checkpoints.Info
		values func(string) ([]float32, error)
		want   string
	}{
		{"device lost", vars, func(string) ([]float32, error) { return nil, errors.New("device lost") }, "export weights to " + path + ": device lost"},
		{"too few values", vars, func(string) ([]float32, error) { return []float32{1}, nil }, "export weights to " + path + ": variable a/bias has 1 values, and its shape wants 3"},
		{"NaN", vars[1:], func(string) ([]float32, error) {
			return []float32{0, 1, 2, 3, float32(math.NaN()), 5}, nil
		}, "export weights to " + path + ": fc6.weight[1,0,0,1] is NaN: the network has diverged, export an earlier checkpoint"},
		{"no layout", []checkpoints.Info{{Name: "step", DType: "I64"}}, nil, `export weights: variable "step" is not named layer/parameter`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Export(path, c.vars, nil, c.values)
			require.EqualError(t, err, c.want)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, "before", string(text))
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, entries, 1, "nothing half-written is left")
		})
	}
}

func TestMismatchListsBothSides(t *testing.T) {
	file := net(4, 16, 21, false, false)
	for _, c := range []struct {
		name string
		net  []checkpoints.Info
		want string
	}{
		{"classes", net(4, 16, 11, false, false), `w.safetensors does not fit the network: 9 tensors differ in shape, 0 are only in the network, 0 only in the file
  tensor              in the file  in the network
  score_fr.bias       [21]         [11]
  score_fr.weight     [21,16,1,1]  [11,16,1,1]
  score_pool3.bias    [21]         [11]
  score_pool3.weight  [21,16,1,1]  [11,16,1,1]
  score_pool4.bias    [21]         [11]
  score_pool4.weight  [21,32,1,1]  [11,32,1,1]
  and 3 more          ...          ...
the file looks like model.classes = 21, not 11`},
		{"depthwise", net(4, 16, 21, false, true), `w.safetensors does not fit the network: 3 tensors differ in shape, 0 are only in the network, 0 only in the file
  tensor                in the file    in the network
  upscore2.weight       [21,21,4,4]    [21,1,4,4]
  upscore8.weight       [21,21,16,16]  [21,1,16,16]
  upscore_pool4.weight  [21,21,4,4]    [21,1,4,4]
the file looks like model.upsample = learned, not depthwise`},
		{"both ways", append(file[1:], checkpoints.Info{Name: "score_pool2/bias", DType: "F32", Shape: []int{21}}), `w.safetensors does not fit the network: 0 tensors differ in shape, 1 are only in the network, 1 only in the file
  tensor            in the file  in the network
  score_pool2.bias  -            [21]
  conv1_1.weight    [4,3,3,3]    -
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := export(t, file, random(file))
			err := Import(path, c.net, func(string, []float32) error { t.Error("set was called"); return nil })
			var mismatch *MismatchError
			require.ErrorAs(t, err, &mismatch)
			require.Equal(t, strings.TrimSpace(c.want), strings.Replace(mismatch.Error(), path, "w.safetensors", 1))
		})
	}
}

func TestHints(t *testing.T) {
	shapes := func(vars []checkpoints.Info) map[string][]int {
		m := map[string][]int{}
		layouts, err := layoutsOf(vars)
		require.NoError(t, err)
		for _, l := range layouts {
			m[l.file.Name] = l.file.Shape
		}
		return m
	}
	without := func(vars []checkpoints.Info, prefixes ...string) []checkpoints.Info {
		var left []checkpoints.Info
		for _, v := range vars {
			keep := true
			for _, p := range prefixes {
				keep = keep && !strings.HasPrefix(v.Name, p)
			}
			if keep {
				left = append(left, v)
			}
		}
		return left
	}
	full := net(64, 4096, 21, false, false)
	for _, c := range []struct {
		name          string
		file, network []checkpoints.Info
		want          string
	}{
		{"width", full, net(16, 4096, 21, false, false), "the file looks like model.width = 64, not 16"},
		{"width and head", full, net(16, 512, 21, false, false), "the file looks like model.width = 64, not 16; model.head = 4096, not 512"},
		{"batch norm", full, net(64, 4096, 21, true, false), "the file looks like model.encoder = vgg16, not vgg16_bn"},
		{"depth", without(full, "conv3_3", "conv4_3", "conv5_3"), full, "the file looks like model.encoder = vgg13, not vgg16"},
		{"coarser", without(full, "score_pool3", "upscore_pool4", "upscore8"), full, "the file looks like model.arch = fcn16s, not fcn8s"},
		{"coarsest", without(full, "score_pool3", "score_pool4"), full, "the file looks like model.arch = fcn32s, not fcn8s"},
		{"bilinear", without(full, "upscore"), full, "the file looks like model.upsample = bilinear, not learned"},
		{"encoder only", without(full, "score", "upscore"), full, ""},
		{"other names", []checkpoints.Info{{Name: "features/bias", DType: "F32", Shape: []int{1}}}, full, "no name is on both sides: the file does not have this network's layers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, hint(shapes(c.file), shapes(c.network)))
		})
	}
}

// put writes a file as PyTorch could have: tensors are raw bytes.
func put(t testing.TB, infos []checkpoints.Info, tensors map[string]string) string {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	_, err := checkpoints.WriteFile(path, infos, nil, func(name string, w io.Writer) error {
		_, err := io.WriteString(w, tensors[name])
		return err
	})
	require.NoError(t, err)
	return path
}

func TestImportOfOtherDTypes(t *testing.T) {
	want := []checkpoints.Info{{Name: "bn1_1/weight", DType: "F32", Shape: []int{2}}}
	for _, c := range []struct{ dtype, raw, want string }{
		{"F16", "\x00\x3e\x00\xc0", ""},
		{"BF16", "\xc0\x3f\x00\xc0", ""},
		{"F64", "\x00\x00\x00\x00\x00\x00\xf8\x3f\x00\x00\x00\x00\x00\x00\x00\xc0", ""},
		{"F32", "\x00\x00\xc0\x3f\x00\x00\x00\xc0", ""},
		{"F32", "\x00\x00\xc0\x3f\x00\x00\x80\x7f", "bn1_1.weight[1] is +Inf as float32: weights must be finite"},
		{"F16", "\x00\x7e\x00\xc0", "bn1_1.weight[0] is NaN as float32: weights must be finite"},
		{"F64", "\x00\x00\x00\x00\x00\x00\xf8\x7f\x00\x00\x00\x00\x00\x00\x00\xc0", "bn1_1.weight[0] is NaN as float32: weights must be finite"},
		{"F64", "\xff\xff\xff\xff\xff\xff\xef\xff\x00\x00\x00\x00\x00\x00\x00\xc0", "bn1_1.weight[0] is -Inf as float32: weights must be finite"},
		{"I32", "\x01\x00\x00\x00\x02\x00\x00\x00", "bn1_1.weight is I32; weights are F32, F16, BF16 or F64"},
	} {
		path := put(t, []checkpoints.Info{{Name: "bn1_1.weight", DType: c.dtype, Shape: []int{2}}}, map[string]string{"bn1_1.weight": c.raw})
		got := map[string][]float32{}
		err := Import(path, want, collect(got))
		if c.want != "" {
			require.EqualError(t, err, "import weights: "+path+": "+c.want)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, map[string][]float32{"bn1_1/weight": {1.5, -2}}, got)
	}
}

func TestImportPassesOverCountersOnly(t *testing.T) {
	want := []checkpoints.Info{{Name: "bn1_1/bias", DType: "F32", Shape: []int{1}}}
	bias := checkpoints.Info{Name: "bn1_1.bias", DType: "F32", Shape: []int{1}}
	counter := checkpoints.Info{Name: "bn1_1.num_batches_tracked", DType: "I64"}
	raw := map[string]string{bias.Name: "1234", counter.Name: "12345678", "bn1_1.other": "12345678"}
	require.NoError(t, Import(put(t, []checkpoints.Info{bias, counter}, raw), want, collect(map[string][]float32{})))

	counter.Name = "bn1_1.other"
	err := Import(put(t, []checkpoints.Info{bias, counter}, raw), want, collect(map[string][]float32{}))
	var mismatch *MismatchError
	require.ErrorAs(t, err, &mismatch)
	require.Equal(t, []Difference{{"bn1_1.other", []int{}, nil}}, mismatch.Extra)
}

func TestImportStops(t *testing.T) {
	vars := []checkpoints.Info{{Name: "fc6/bias", DType: "F32", Shape: []int{1}}}
	path := export(t, vars, map[string][]float32{"fc6/bias": {1}})
	require.EqualError(t, Import(path, vars, func(string, []float32) error { return errors.New("out of memory") }), "out of memory")
	require.ErrorIs(t, Import(path+"x", vars, nil), os.ErrNotExist)
	require.ErrorContains(t, Import(path, []checkpoints.Info{{Name: "step"}}, nil), "is not named layer/parameter")
}

// Whatever the file says: an error, or exactly the values that were asked for.
func FuzzImport(f *testing.F) {
	memtest.Cap(f)
	want := []checkpoints.Info{
		{Name: "conv1_1/weight", DType: "F32", Shape: []int{1, 2, 1, 2}},
		{Name: "conv1_1/bias", DType: "F32", Shape: []int{2}},
	}
	for _, dtype := range []string{"F32", "F16", "BF16", "F64", "U8"} {
		var b bytes.Buffer
		_, err := checkpoints.Write(&b, []checkpoints.Info{
			{Name: "conv1_1.weight", DType: dtype, Shape: []int{2, 1, 1, 2}},
			{Name: "conv1_1.bias", DType: dtype, Shape: []int{2}},
			{Name: "bn.num_batches_tracked", DType: "I64"},
		}, nil, func(name string, w io.Writer) error {
			n := map[string]int{"conv1_1.weight": 4, "conv1_1.bias": 2, "bn.num_batches_tracked": 1}[name]
			size := map[string]int{"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "U8": 1}[dtype]
			if n == 1 {
				size = 8
			}
			_, err := w.Write(make([]byte, n*size))
			return err
		})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	path := filepath.Join(f.TempDir(), "w.safetensors")
	f.Fuzz(func(t *testing.T, b []byte) {
		require.NoError(t, os.WriteFile(path, b, 0o666))
		got := map[string][]float32{}
		var err error
		memtest.Bound{Any: 8 << 20, PerByte: 1 << 10}.Within(t, len(b), func() { err = Import(path, want, collect(got)) })
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.Len(t, got, 2)
		require.Len(t, got["conv1_1/weight"], 4)
		require.Len(t, got["conv1_1/bias"], 2)
	})
}
