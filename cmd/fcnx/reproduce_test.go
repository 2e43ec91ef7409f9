package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/checkpoints/weights"
	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train"
)

// TestReproduceVOC goes the whole way on a small directory in VOC's layout: lists, images of
// two sizes, a net of the paper's geometry, and the four measures beside the published.
func TestReproduceVOC(t *testing.T) {
	dir := t.TempDir()
	net := models.Config{Arch: "fcn16s", Encoder: "vgg16", Classes: 21, Width: 1, Head: 4, Upsample: models.Bilinear, Geometry: models.Paper}
	file := filepath.Join(dir, "fcn16s.safetensors")
	writeRandomWeights(t, net, file)
	what := []string{"--model", "fcn16s", "--encoder", "vgg16", "--classes", "21", "--geometry", "paper",
		"--set", "model.width=1", "--set", "model.head=4", "--set", "model.upsample=bilinear",
		"--set", "preprocess.order=bgr", "--set", "preprocess.scale=1", "--set", "preprocess.mean=[104.00698793,116.66876762,122.67891434]",
		"--set", "preprocess.std=[1,1,1]", "--backend", "go"}

	voc := filepath.Join(dir, "VOCdevkit", "VOC2012")
	const images = 4
	for i := range images {
		size := []string{"20x24", "17x30"}[i%2]
		img, err := drawFixture(size, "rgb")
		require.NoError(t, err)
		require.NoError(t, writeFixture(filepath.Join(voc, "JPEGImages", vocID(i)+".jpg"), img))
		mask, err := drawFixture(size, fmt.Sprintf("grey:0,%d,2,255", i))
		require.NoError(t, err)
		require.NoError(t, writeFixture(filepath.Join(voc, "SegmentationClass", vocID(i)+".png"), mask))
	}
	list := func(path string, first, n int) string {
		path = filepath.Join(dir, "VOCdevkit", filepath.FromSlash(path))
		var text strings.Builder
		for i := range n {
			fmt.Fprintln(&text, vocID(first+i))
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o666))
		return path
	}
	ids := list("mine.txt", 1, images-1)
	list("VOC2012/ImageSets/Segmentation/mine.txt", 1, images-1)
	list("VOC2012/ImageSets/Segmentation/train.txt", 0, images)

	// The user's own list: the same numbers as eval's, and no verdict.
	evaluated := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(fcnx(t, append([]string{"eval", file, "--data", "voc:" + voc + "?val=mine", "--batch", "1", "--json"}, what...)...)), &evaluated))
	args := append([]string{"reproduce", "voc", file, "--data", voc}, what...)
	var r reproduction
	require.NoError(t, json.Unmarshal([]byte(fcnx(t, append(args, "--ids", ids, "--json")...)), &r))
	require.Equal(t, "fcn16s", r.Model)
	require.Equal(t, images-1, r.Images)
	require.Equal(t, ids, r.List)
	require.Nil(t, r.Reproduced)
	require.InDelta(t, evaluated["pixel_accuracy"], float64(r.Here.PixelAccuracy)/100, 1e-12)
	require.InDelta(t, evaluated["mean_accuracy"], float64(r.Here.MeanAccuracy)/100, 1e-12)
	require.InDelta(t, evaluated["mean_iou"], float64(r.Here.MeanIoU)/100, 1e-12)
	require.InDelta(t, evaluated["fw_iou"], float64(r.Here.FwIoU)/100, 1e-12)
	text := fcnx(t, append(args, "--ids", ids)...)
	require.Regexp(t, `published +90.9971 +78.0710 +65.0050 +84.2614\n`, text)
	require.Contains(t, text, "no verdict: the published numbers are of the 736 images of seg11valid, and these are 3")

	// The computed list, all 736 of it, which a net that learned nothing does not reproduce. In the
	// paper's geometry each image would cost what one of 230 pixels does.
	for i := images; i < datasets.Seg11Valid; i++ {
		for _, name := range []string{"JPEGImages/%s.jpg", "SegmentationClass/%s.png"} {
			name = filepath.Join(voc, name)
			require.NoError(t, os.Link(fmt.Sprintf(name, vocID(i%images)), fmt.Sprintf(name, vocID(i))))
		}
	}
	list("VOC2011/ImageSets/Segmentation/val.txt", 0, 1111)
	list("sbd/train.txt", datasets.Seg11Valid, 8498)
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), append(args, "--batch", "64", "--set", "model.geometry=same"), strings.NewReader(""), &stdout, &stderr)
	require.Equal(t, exitFailure, code, stderr.String())
	require.Contains(t, stdout.String(), "not reproduced: not all four are within 0.1 of the published")
	require.Contains(t, stderr.String(), "on the 736 images of "+filepath.Join(dir, "VOCdevkit/VOC2011/ImageSets/Segmentation/val.txt")+" less ")

	// Bad input.
	for _, c := range []struct {
		code int
		args []string
		err  string
	}{
		{exitUsage, []string{file}, "say where VOC is, with --data DIR"},
		{exitUsage, []string{file, "--data", voc, "--batch", "0"}, "--batch is at least 1"},
		{exitUsage, []string{file, "--data", voc}, "does not say in which geometry its network saw pixels; add --geometry"},
		{exitBadData, []string{file, "--data", filepath.Join(dir, "no")}, "no: no such file"},
		{exitBadData, append([]string{file, "--data", dir, "--ids", ids}, what...), "not VOC's layout"},
		{exitBadData, append([]string{file, "--data", voc, "--ids", filepath.Join(dir, "none")}, what...), "none: no such file"},
		{exitBadData, []string{filepath.Join(dir, "none"), "--data", voc}, "no run or file of weights is there"},
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, c.code, run(t.Context(), append([]string{"reproduce", "voc"}, c.args...), strings.NewReader(""), &stdout, &stderr), stderr.String())
		require.Contains(t, stderr.String(), c.err)
		require.Empty(t, stdout.String())
	}
}

func vocID(i int) string { return fmt.Sprintf("2007_%06d", i) }

// writeRandomWeights writes a file that says nothing of itself, as another program's.
func writeRandomWeights(t *testing.T, net models.Config, path string) {
	t.Helper()
	variables := map[string]models.Variable{}
	for _, v := range net.Variables() {
		variables[v.Path()] = v
	}
	_, err := weights.Export(path, variableInfos(net), nil, func(name string) ([]float32, error) {
		v := variables[name]
		if v.Role == models.ConvWeight {
			v.Part = models.PartHead // score layers would start from zero
		}
		values := make([]float32, v.Size())
		v.Initial(1, values)
		return values, nil
	})
	require.NoError(t, err)
	file, err := checkpoints.Open(path)
	require.NoError(t, err)
	require.Empty(t, file.Metadata())
	require.NoError(t, file.Close())
}

func TestPublished(t *testing.T) {
	at := func(m train.ModelConfig) measures {
		found, err := publishedOf(m)
		require.NoError(t, err)
		return found.measures
	}
	require.Equal(t, [4]float64{90.4810, 76.4824, 63.6261, 83.4580}, at(train.ModelConfig{Arch: "fcn32s", Classes: 21}).values())
	require.Equal(t, [4]float64{91.1288, 78.4979, 65.3998, 84.4326}, at(train.ModelConfig{Arch: "fcn8s", AtOnce: true, Classes: 21}).values())
	_, err := publishedOf(train.ModelConfig{Arch: "fcn16s", AtOnce: true, Classes: 21})
	require.ErrorContains(t, err, "nothing was published of fcn16s-at-once")
	_, err = publishedOf(train.ModelConfig{Arch: "fcn8s", Classes: 11})
	require.ErrorContains(t, err, "it scores 11 classes, and VOC has 21")

	r := reproduction{Images: 736, Published: at(train.ModelConfig{Arch: "fcn8s", Classes: 21})}
	r.Here = measures{91.3, 77.52, 65.6, 84.6}
	r.judge(0.1)
	require.True(t, *r.Reproduced)
	r.Here.MeanIoU = 65.62
	r.judge(0.1)
	require.False(t, *r.Reproduced)
}
