package main

import (
	"context"
	"fmt"
	"image/color"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train"
)

// dataConfig is a configuration with these settings.
func dataConfig(t *testing.T, sets ...string) train.Config {
	config, _, err := train.Load(train.Sources{Sets: append([]string{
		"data.spec=shapes?n=8&val_n=2&size=32x32", "train.batch=2", "train.steps=3",
	}, sets...)})
	require.NoError(t, err)
	require.NoError(t, config.Validate())
	return config
}

func openData(t *testing.T, sets ...string) *trainData {
	config := dataConfig(t, sets...)
	d, err := openTrainData(t.Context(), &config, func(text string) { t.Errorf("warning: %s", text) })
	require.NoError(t, err)
	return d
}

func TestSettleClasses(t *testing.T) {
	sky, road := datasets.Class{Name: "sky"}, datasets.Class{Name: "road"}
	for _, test := range []struct {
		asked   int
		classes []string
		err     string
	}{
		{0, []string{"sky", "road"}, ""},
		{2, []string{"sky", "road"}, ""},
		{4, []string{"sky", "road", "class2", "class3"}, ""},
		{1, nil, "model.classes is 1, but folder:x has 2 classes"},
	} {
		config := train.Default()
		config.Data.Spec, config.Model.Classes = "folder:x", test.asked
		d := &trainData{classes: []datasets.Class{sky, road}}
		err := d.settleClasses(&config)
		if test.err != "" {
			require.EqualError(t, err, test.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, test.classes, classNames(d.classes))
		require.Equal(t, len(test.classes), config.Model.Classes)
	}
}

// How long a run is, and how often it is scored.
func TestRunLength(t *testing.T) {
	for _, test := range []struct {
		sets  []string
		steps int64
		every float64
	}{
		{nil, 3, 4},
		{[]string{"train.steps=0", "train.epochs=1"}, 4, 4},
		{[]string{"train.steps=0", "train.epochs=2.5"}, 10, 4},
		{[]string{"train.steps=0", "train.epochs=0.001"}, 1, 4},
		// 0.07 * 100 is a little more than 7.
		{[]string{"train.steps=0", "train.epochs=0.07", "data.spec=shapes?n=200&val_n=1&size=32x32"}, 7, 100},
		{[]string{"eval.every_steps=9"}, 3, 9},
		{[]string{"eval.every_epochs=0.5"}, 3, 2},
	} {
		config := dataConfig(t, test.sets...)
		d := openData(t, test.sets...)
		require.Equal(t, test.steps, d.stepsOf(config.Train), test.sets)
		require.Equal(t, test.every, d.evalEvery(config.Eval), test.sets)
	}
}

// A resumed run sees whether either of its sets is another one.
func TestDigestIsOfBothSets(t *testing.T) {
	same := openData(t).digest
	require.Equal(t, same, openData(t, "train.batch=4", "data.workers=1").digest)
	require.NotEqual(t, same, openData(t, "data.spec=shapes?n=9&val_n=2&size=32x32").digest)
	require.NotEqual(t, same, openData(t, "data.val_spec=shapes?n=8&val_n=1&size=32x32").digest)
	require.Equal(t, same, openData(t, "data.val_spec=shapes?n=8&val_n=2&size=32x32").digest)
}

// Class weights are those of the labels, counted one by one; classes that only the
// network has weigh nothing in particular.
func TestBalancedWeightsAreCounted(t *testing.T) {
	source, err := datasets.Open("shapes?n=8&val_n=2&size=32x32", datasets.Train)
	require.NoError(t, err)
	var pixels, imagePixels [7]int64
	for i := range source.Len() {
		sample, err := source.At(i)
		require.NoError(t, err)
		var here [7]int64
		labelled := int64(0)
		for _, label := range sample.Label.Pix {
			if label != datasets.Ignore {
				here[label]++
				labelled++
			}
		}
		for c, n := range here {
			pixels[c] += n
			if n > 0 {
				imagePixels[c] += labelled
			}
		}
	}
	for _, kind := range []string{"median", "inverse"} {
		config := dataConfig(t, "train.class_balance="+kind, "model.classes=9")
		d := openData(t, "train.class_balance="+kind, "model.classes=9")
		want := append(train.BalancedWeights(kind, pixels[:], imagePixels[:]), 1, 1)
		require.Equal(t, want, d.weighed(config.Train).ClassWeights, kind)
	}
	given := dataConfig(t, "train.class_weights=[1, 2, 1, 1, 1, 1, 1]")
	require.Equal(t, given.Train, openData(t).weighed(given.Train), "what is given stays")
}

func TestTransforms(t *testing.T) {
	for _, test := range []struct {
		name           string
		config         train.AugmentConfig
		fixed, augment bool
		h, w           int
	}{
		{"nothing", train.AugmentConfig{}, false, false, 0, 0},
		{"resize", train.AugmentConfig{Resize: "48x64"}, true, false, 48, 64},
		{"flip", train.AugmentConfig{Flip: true}, false, true, 0, 0},
		{"jitter", train.AugmentConfig{Jitter: 0.3}, false, true, 0, 0},
		{"crop", train.AugmentConfig{Crop: "40x20"}, false, true, 40, 20},
		{"all", train.AugmentConfig{Resize: "48x64", Scale: []float64{0.5, 2}, Crop: "40x20", Flip: true, Jitter: 0.3}, true, true, 40, 20},
	} {
		fixed, augment, h, w, err := transforms(test.config, train.Default().Preprocess)
		require.NoError(t, err, test.name)
		require.Equal(t, test.fixed, fixed != nil, test.name)
		require.Equal(t, test.augment, augment != nil, test.name)
		require.Equal(t, []int{test.h, test.w}, []int{h, w}, test.name)
	}
	_, _, _, _, err := transforms(train.AugmentConfig{Resize: "48"}, train.Default().Preprocess)
	require.ErrorContains(t, err, "augment.resize: ")
	_, _, _, _, err = transforms(train.AugmentConfig{Crop: "48"}, train.Default().Preprocess)
	require.ErrorContains(t, err, "augment.crop: ")

	// What training crops, the validation set sees whole; what it resizes, it resizes too.
	for _, test := range []struct{ set, train, val string }{
		{"augment.crop=64x96", "64x96", "32x32"},
		{"augment.resize=64x96", "64x96", "64x96"},
	} {
		d := openData(t, test.set)
		for batch, err := range d.train.Batches(t.Context(), 0) {
			require.NoError(t, err)
			require.Equal(t, test.train, fmt.Sprintf("%dx%d", batch.H, batch.W))
			break
		}
		for batch, err := range d.val.Pass(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, test.val, fmt.Sprintf("%dx%d", batch.H, batch.W))
		}
	}
}

// The colour beyond a cropped image's border is one that preprocessing turns into zero.
func TestMeanColor(t *testing.T) {
	for _, test := range []struct {
		sets []string
		want color.RGBA
	}{
		{nil, color.RGBA{124, 116, 104, 255}},
		// Caffe's: bytes in the order blue, green, red.
		{[]string{"preprocess.order=bgr", "preprocess.scale=1", "preprocess.mean=[104, 117, 123]", "preprocess.std=[1, 1, 1]"}, color.RGBA{123, 117, 104, 255}},
		{[]string{"preprocess.mean=[-0.5, 0, 1.5]"}, color.RGBA{0, 0, 255, 255}},
	} {
		require.Equal(t, test.want, meanColor(dataConfig(t, test.sets...).Preprocess), test.sets)
	}
}

// Bad samples are counted, and the first of them named.
func TestCheckFastNamesTheFirst(t *testing.T) {
	dir := t.TempDir()
	for _, split := range []string{"train", "val"} {
		writeSample(t, filepath.Join(dir, split), "a", "32x32", "32x32")
	}
	for i := range 7 {
		writeSample(t, filepath.Join(dir, "train"), fmt.Sprintf("bad%d", i), "32x32", "16x32")
	}
	config := dataConfig(t, "data.spec=folder:"+dir)
	_, err := openTrainData(t.Context(), &config, nil)
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 6)
	require.Equal(t, "7 of 8 train samples cannot be used; `fcnx data check 'folder:"+dir+"'` lists them all:", lines[0])
	for i, line := range lines[1:] {
		require.Contains(t, line, fmt.Sprintf("masks/bad%d.png: the mask is 16x32 (height x width)", i))
	}
	require.Equal(t, exitBadData, exitCode(specError(err)))

	stopped, stop := context.WithCancel(t.Context())
	stop()
	_, err = openTrainData(stopped, &config, nil)
	require.ErrorIs(t, err, context.Canceled)
}

// Images of several sizes in one shape of batch are mostly padding, which is told.
func TestPaddingIsToldOf(t *testing.T) {
	dir := t.TempDir()
	for split, sizes := range map[string][]string{"train": {"32x32", "32x32", "32x32", "96x96"}, "val": {"32x32"}} {
		for i, size := range sizes {
			writeSample(t, filepath.Join(dir, split), string(rune('a'+i)), size, size)
		}
	}
	for buckets, want := range map[int][]string{
		1: {"67% of the training pixels are padding (shapes of batch: 1); augment.crop, augment.resize or more data.buckets would save it"},
		4: nil,
	} {
		config := dataConfig(t, "data.spec=folder:"+dir, fmt.Sprintf("data.buckets=%d", buckets), "train.batch=1")
		var warned []string
		_, err := openTrainData(t.Context(), &config, func(text string) { warned = append(warned, text) })
		require.NoError(t, err)
		require.Equal(t, want, warned, "%d buckets", buckets)
	}
}

// writeSample writes images/NAME.png and masks/NAME.png below dir.
func writeSample(t *testing.T, dir, name, imageSize, maskSize string) {
	img, err := drawFixture(imageSize, "rgb")
	require.NoError(t, err)
	require.NoError(t, writeFixture(filepath.Join(dir, "images", name+".png"), img))
	mask, err := drawFixture(maskSize, "grey:0,1")
	require.NoError(t, err)
	require.NoError(t, writeFixture(filepath.Join(dir, "masks", name+".png"), mask))
}
