package train

import "github.com/fcnx/fcnx/models"

// Network is the network that the configuration describes. With model.classes = 0
// it is not valid yet.
func (c Config) Network() models.Config {
	return models.Config{
		Arch:     c.Model.Arch,
		Encoder:  c.Model.Encoder,
		Classes:  c.Model.Classes,
		Width:    c.Model.Width,
		Head:     c.Model.Head,
		Upsample: c.Model.Upsample,
		Geometry: c.Model.Geometry,
		Dropout:  c.Model.Dropout,
		AtOnce:   c.Model.AtOnce,
	}
}

// Models is what the graphs need of it.
func (c PreprocessConfig) Models() models.Preprocess {
	return models.Preprocess{
		BGR:   c.Order == "bgr",
		Scale: c.Scale,
		Mean:  c.Mean,
		Std:   c.Std,
	}
}
