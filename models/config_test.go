package models

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func validNet() Config {
	return Config{Arch: "fcn8s", Encoder: "vgg16", Classes: 21, Width: 64, Head: 4096, Upsample: Learned, Geometry: Same, Dropout: 0.5}
}

func TestValidateAcceptsEveryCombination(t *testing.T) {
	for _, arch := range Archs() {
		for _, encoder := range Encoders() {
			for _, norm := range []string{"", "_bn"} {
				for _, upsample := range []string{Learned, Depthwise, Bilinear} {
					for _, geometry := range []string{Same, Paper} {
						c := Config{arch, encoder + norm, 2, 1, 1, upsample, geometry, 0, false}
						require.NoError(t, c.Validate(), "%+v", c)
					}
				}
			}
		}
	}
	require.NoError(t, validNet().Validate())
	most := validNet()
	most.Classes, most.Upsample = 255, Depthwise
	require.NoError(t, most.Validate())
}

func TestValidateSaysWhatToWriteInstead(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*Config)
		want string
	}{
		{"arch", func(c *Config) { c.Arch = "fcn4s" }, `model.arch "fcn4s": use one of fcn32s, fcn16s, fcn8s`},
		{"no arch", func(c *Config) { c.Arch = "" }, `model.arch "": use one of fcn32s, fcn16s, fcn8s`},
		{"encoder", func(c *Config) { c.Encoder = "resnet50" }, `model.encoder "resnet50": use one of vgg11, vgg13, vgg16, vgg19, with _bn for batch normalisation`},
		{"encoder twice normal", func(c *Config) { c.Encoder = "vgg16_bn_bn" }, `model.encoder "vgg16_bn_bn": use one of vgg11, vgg13, vgg16, vgg19, with _bn for batch normalisation`},
		{"one class", func(c *Config) { c.Classes = 1 }, `model.classes 1: a network has 2 to 255 classes (255 is the label of ignored pixels)`},
		{"too many classes", func(c *Config) { c.Classes = 256 }, `model.classes 256: a network has 2 to 255 classes (255 is the label of ignored pixels)`},
		{"width", func(c *Config) { c.Width = 0 }, `model.width 0 and model.head 4096: both are numbers of channels, at least 1`},
		{"head", func(c *Config) { c.Head = -1 }, `model.width 64 and model.head -1: both are numbers of channels, at least 1`},
		{"upsample", func(c *Config) { c.Upsample = "nearest" }, `model.upsample "nearest": use one of learned, depthwise, bilinear`},
		{"geometry", func(c *Config) { c.Geometry = "valid" }, `model.geometry "valid": use same or paper`},
		{"dropout", func(c *Config) { c.Dropout = 1 }, `model.dropout 1: a probability below 1`},
		{"negative dropout", func(c *Config) { c.Dropout = -0.5 }, `model.dropout -0.5: a probability below 1`},
		{"dropout that is no number", func(c *Config) { c.Dropout = math.NaN() }, `model.dropout NaN: a probability below 1`},
		{"dense upsampling of many classes", func(c *Config) { c.Arch, c.Classes = "fcn32s", 150 },
			`model.upsample "learned": upscore alone would have 92 million weights between 150 classes; use model.upsample = "depthwise" (one kernel a class) or "bilinear"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			net := validNet()
			c.set(&net)
			require.EqualError(t, net.Validate(), c.want)
		})
	}
}

// What is refused is the size of one layer, not the number of classes: FCN-8s has
// kernels of 16 by 16 where FCN-32s has 64 by 64.
func TestValidateWeighsDenseUpsampling(t *testing.T) {
	net := validNet()
	net.Classes = 150
	require.NoError(t, net.Validate())
	net.Arch = "fcn16s"
	require.NoError(t, net.Validate())
	net.Classes = 200
	require.ErrorContains(t, net.Validate(), "upscore16 alone would have 41 million weights between 200 classes")
	for _, upsample := range []string{Depthwise, Bilinear} {
		net.Upsample = upsample
		require.NoError(t, net.Validate())
	}
}
