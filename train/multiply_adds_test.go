package train

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/models"
)

func TestStepMultiplyAdds(t *testing.T) {
	net := models.Config{Arch: "fcn8s", Encoder: "vgg11_bn", Classes: 5, Width: 4, Head: 8, Upsample: models.Learned, Geometry: models.Same}
	trace, err := net.Trace(64, 96)
	require.NoError(t, err)
	of := func(name string) int64 {
		op, ok := trace.Find(name)
		require.True(t, ok, name)
		return op.MultiplyAdds
	}
	all := trace.MultiplyAdds()
	// Behind pool4 on the way to the score, and the skips: each layer by name.
	behind := of("conv5_1") + of("conv5_2") + of("fc6") + of("fc7") + of("score_fr") + of("upscore2") + of("score_pool4") + of("upscore_pool4") + of("score_pool3") + of("upscore8")

	for _, c := range []struct {
		name   string
		change func(*TrainConfig, *models.Config)
		want   int64
	}{
		// Nothing needs the gradient of the image.
		{"all learn", func(*TrainConfig, *models.Config) {}, 3*all - of("conv1_1")},
		{"frozen to pool4", func(c *TrainConfig, _ *models.Config) { c.Freeze = []string{"conv[1-4]_*", "bn[1-4]_*"} },
			all + 2*behind - of("conv5_1") - of("score_pool4") - of("score_pool3")},
		{"the same by rate", func(c *TrainConfig, _ *models.Config) { c.Rates = map[string]float64{"conv[1-4]_*": 0, "bn[1-4]_*": 0} },
			all + 2*behind - of("conv5_1") - of("score_pool4") - of("score_pool3")},
		{"only the last", func(c *TrainConfig, _ *models.Config) {
			c.Freeze = []string{"conv*", "bn*", "fc*", "score_*", "upscore2", "upscore_pool4"}
		}, all + of("upscore8")},
		{"a norm in front", func(c *TrainConfig, _ *models.Config) { c.Freeze = []string{"conv1_1"} }, 3*all - 2*of("conv1_1")},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, net := Default().Train, net
			c.change(&cfg, &net)
			got, err := cfg.StepMultiplyAdds(net, 64, 96)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}

	// Upsampling that is fixed has no kernel to learn, and hands gradients on.
	fixed := net
	fixed.Upsample = models.Bilinear
	trace, err = fixed.Trace(64, 96)
	require.NoError(t, err)
	got, err := Default().Train.StepMultiplyAdds(fixed, 64, 96)
	require.NoError(t, err)
	require.Equal(t, 3*trace.MultiplyAdds()-of("conv1_1")-of("upscore2")-of("upscore_pool4")-of("upscore8"), got)

	_, err = Default().Train.StepMultiplyAdds(net, 0, 96)
	require.ErrorContains(t, err, "both sides are 1 to")
}
