package caffe

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fcnx/fcnx/checkpoints"
)

// The fields of TransformationParameter and PythonParameter that are read.
const (
	transformScale protowire.Number = 1
	transformMean  protowire.Number = 5
	pythonParam    protowire.Number = 3
)

const (
	maxMeans = 64   // channels
	maxParam = 4096 // bytes of a Python layer's param_str
)

// mean is what a data layer takes from the pixels, and by what it multiplies the rest.
type mean struct {
	given  bool
	values []float64
	scale  float64
}

// transform reads a TransformationParameter.
func (n *net) transform(m *mean, f field) error {
	if err := f.is(protowire.BytesType); err != nil {
		return err
	}
	return n.each(f.span, func(f field) error {
		switch f.number {
		case transformScale:
			if err := f.is(protowire.Fixed32Type); err != nil {
				return err
			}
			return m.setScale(f.bits)
		case transformMean:
			if f.kind == protowire.Fixed32Type {
				return m.add(f.bits)
			}
			if err := f.is(protowire.BytesType); err != nil {
				return err
			}
			b, err := n.peek(f.start, 4*maxMeans, f.end)
			if err != nil {
				return err
			}
			if int64(len(b)) < f.length() || len(b)%4 != 0 {
				return damaged(f.start, fmt.Sprintf("mean values of %d bytes", f.length()))
			}
			for i := 0; i < len(b); i += 4 {
				if err := m.add(uint64(binary.LittleEndian.Uint32(b[i:]))); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (m *mean) setScale(bits uint64) error {
	m.given, m.scale = true, decimal(bits)
	if !finite(m.scale) || m.scale == 0 {
		return fmt.Errorf("a scale of %v", m.scale)
	}
	return nil
}

func (m *mean) add(bits uint64) error {
	v := decimal(bits)
	if !finite(v) {
		return fmt.Errorf("a mean of %v", v)
	}
	if len(m.values) == maxMeans {
		return fmt.Errorf("more than %d mean values", maxMeans)
	}
	m.given, m.values = true, append(m.values, v)
	return nil
}

// decimal is the shortest number that a float32 can stand for: 103.939 and not
// 103.93900299072266, because somebody wrote it down.
func decimal(bits uint64) float64 {
	f := math.Float32frombits(uint32(bits))                                      // #nosec G115 -- a fixed32, whose bits these are
	v, _ := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64) // of its own making
	return v
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// python reads a PythonParameter. Its text is the layer's own business, so that what
// is not understood there is no error.
func (n *net) python(m *mean, f field) error {
	if err := f.is(protowire.BytesType); err != nil {
		return err
	}
	return n.each(f.span, func(f field) error {
		if f.number != pythonParam || f.kind != protowire.BytesType || f.length() > maxParam {
			return nil
		}
		text, err := n.peek(f.start, maxParam, f.end)
		if err != nil {
			return err
		}
		if values := meanInParam(string(text)); values != nil {
			m.given, m.values = true, values
		}
		return nil
	})
}

// paramMean is for param_str of the paper's data layers:
//
//	{'sbdd_dir': '../data/sbdd/dataset', 'mean': (104.00699, 116.66877, 122.67892), ...}
var paramMean = regexp.MustCompile(`['"]mean['"]\s*:\s*[(\[]([^()\[\]]*)[)\]]`)

// meanInParam is nil where the text has no mean that it understands.
func meanInParam(text string) []float64 {
	match := paramMean.FindStringSubmatch(text)
	if match == nil {
		return nil
	}
	parts := strings.Split(strings.TrimSuffix(strings.TrimSpace(match[1]), ","), ",")
	if len(parts) > maxMeans {
		return nil
	}
	values := make([]float64, len(parts))
	for i, s := range parts {
		v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || !finite(v) {
			return nil
		}
		values[i] = v
	}
	return values
}

// ReadMean reads the mean image of a .binaryproto file, of shape [1,3,H,W] or [3,H,W],
// and returns the mean over its pixels of each channel, in the order of the file: BGR
// where OpenCV read the images. Errors name the file.
func ReadMean(path string) (values [3]float64, err error) {
	r, size, err := checkpoints.OpenRegular(path)
	if err != nil {
		return values, err
	}
	values, err = readMean(path, r, size)
	return values, errors.Join(err, r.Close())
}

func readMean(path string, r io.ReaderAt, size int64) (values [3]float64, err error) {
	if err := checkStart(r, size); err != nil {
		return values, fmt.Errorf("%s: not a mean image: %w", path, err)
	}
	n := net{wire: wire{r: r, size: size}}
	t, err := n.blob(span{0, size})
	if err != nil {
		return values, fmt.Errorf("%s: bad mean image: %w", path, err)
	}
	shape := t.Shape
	if len(shape) == 4 && shape[0] == 1 {
		shape = shape[1:]
	}
	if len(shape) != 3 || shape[0] != 3 || shape[1]*shape[2] == 0 {
		return values, fmt.Errorf("%s: bad mean image: its shape is %.80s, and should be [1 3 height width]", path, fmt.Sprint(t.Shape))
	}
	pixels := shape[1] * shape[2]
	in := bufio.NewReader(&data{r: r, pieces: t.pieces, what: path})
	number := make([]byte, t.pieces[0].width)
	for channel := range values {
		sum := 0.0
		for range pixels {
			if _, err := io.ReadFull(in, number); err != nil {
				return values, err
			}
			if len(number) == 4 {
				sum += float64(math.Float32frombits(binary.LittleEndian.Uint32(number)))
			} else {
				sum += math.Float64frombits(binary.LittleEndian.Uint64(number))
			}
		}
		values[channel] = sum / float64(pixels)
		if !finite(values[channel]) {
			return values, fmt.Errorf("%s: bad mean image: the mean of channel %d is %v", path, channel, values[channel])
		}
	}
	return values, nil
}
