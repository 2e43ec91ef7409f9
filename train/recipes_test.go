package train

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/models"
)

// recipe reads a recipe of the repository, on data of VOC's 21 classes where it leaves
// that to the command line.
func recipe(t *testing.T, path string) Config {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	c, origins, err := Load(Sources{Path: filepath.Base(path), File: data})
	require.NoError(t, err)
	if c.Data.Spec == "" {
		c.Data.Spec = "voc:VOC2012"
	}
	if c.Model.Classes == 0 {
		c.Model.Classes = 21
	}
	require.NoError(t, origins.Explain(c.Validate()), path)
	return c
}

// The recipes of the repository are read and make sense: their network can be built,
// their patterns name layers of it, and their rates fit their losses.
func TestRecipes(t *testing.T) {
	paths, err := filepath.Glob("../recipes/*.toml")
	require.NoError(t, err)
	require.Greater(t, len(paths), 7)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c := recipe(t, path)
			h, w := 375, 500
			for _, size := range []string{c.Augment.Resize, c.Augment.Crop} {
				if size != "" {
					h, w, err = ParseSize(size)
					require.NoError(t, err)
				}
			}
			for _, c := range c.Stages() {
				require.NoError(t, c.Network().Validate())
				vars := c.Network().Variables()
				require.NoError(t, c.Train.checkGroups(vars))
				warnings, err := c.Train.Judge(vars, float64(h*w*c.Train.Batch), false)
				require.NoError(t, err)
				require.Empty(t, warnings)
				_, err = NewSchedule(c.Train, 1000)
				require.NoError(t, err)
			}
		})
	}
}

// The authors' nets are theirs in every number that their solvers and prototxts have,
// and each stage can begin with the one before it. The staged run has the same stages.
func TestPaperRecipes(t *testing.T) {
	previous := models.Config{}
	staged := recipe(t, "../recipes/voc-staged.toml").Stages()
	require.Len(t, staged, 3)
	for i, stage := range []struct {
		name, arch string
		atOnce     bool
		lr         float64
		steps      int
	}{
		{"fcn32s-voc", "fcn32s", false, 1e-10, 100_000},
		{"fcn16s-voc", "fcn16s", false, 1e-12, 100_000},
		{"fcn8s-voc", "fcn8s", false, 1e-14, 100_000},
		{"fcn8s-atonce-voc", "fcn8s", true, 1e-10, 300_000},
	} {
		want := Default()
		want.Data.Spec, want.Data.Buckets = "voc:VOC2012", 8
		want.Model.Arch, want.Model.AtOnce, want.Model.Classes = stage.arch, stage.atOnce, 21
		want.Model.Geometry, want.Model.Upsample = "paper", "bilinear"
		want.Preprocess = PreprocessConfig{"bgr", 1, [3]float64{104.00698793, 116.66876762, 122.67891434}, [3]float64{1, 1, 1}}
		want.Train.Loss, want.Train.LR, want.Train.Momentum = "sum", stage.lr, 0.99
		want.Train.Batch, want.Train.Steps, want.Train.BiasLR, want.Train.Schedule = 1, stage.steps, 2, "constant"
		want.Eval.EverySteps = 4000
		got := recipe(t, "../recipes/"+stage.name+".toml")
		require.Equal(t, want, got, stage.name)
		if !stage.atOnce {
			require.Equal(t, want, staged[i], stage.name)
		}

		net := got.Network()
		if stage.arch != "fcn32s" && !stage.atOnce {
			_, fresh, err := models.TakeOver(previous, net)
			require.NoError(t, err, stage.name)
			for _, v := range fresh { // upsampling is fixed, and has none
				require.Contains(t, []string{"score_pool4", "score_pool3"}, v.Layer)
			}
			require.Len(t, fresh, 2)
		}
		previous = net
	}
}
