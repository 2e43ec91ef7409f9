package train

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device/devicetest"
)

// requireFirstLosses compares the first twenty losses of a run, each with the norm of its
// gradients, with those in the tree. All that chance has a hand in is in them: initial weights,
// order, augmentation, dropout. Whoever changes any of these sees it here. Processors with
// other vector units add in another order, hence the tolerance.
func requireFirstLosses(t *testing.T, name string, got []float64) {
	t.Helper()
	require.Len(t, got, 2*20)
	path := "testdata/first_losses_" + name + ".json"
	if *updateGolden {
		text, err := json.MarshalIndent(got, "", "\t")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, append(text, '\n'), 0o644))
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var want []float64
	require.NoError(t, json.Unmarshal(text, &want))
	require.InEpsilonSlice(t, want, got, devicetest.Tolerance(1e-3))
}
