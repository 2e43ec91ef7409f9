package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train"
)

// What a run tells of its learning before it begins: nothing where there is nothing to
// tell.
func TestDescribeLearning(t *testing.T) {
	for _, test := range []struct {
		sets   []string
		fresh  bool
		notes  []string
		warned string
	}{
		{nil, true, nil, ""},
		{[]string{"train.freeze=conv[12]_*", "train.rates=score_*=10"}, true,
			[]string{"frozen: conv1_1..conv2_2 (260 k of 134.4 M parameters); x10: score_fr, score_pool4, score_pool3"}, ""},
		{[]string{"train.loss=sum", "train.lr=1e-10", "train.momentum=0.99", "train.bias_lr=2"}, false,
			[]string{"biases: x2", "lr 1e-10 on the sum over about 187500 labelled pixels a step is 1.9e-05 on their mean, 0.0019 with momentum 0.99"}, ""},
		{[]string{"train.loss=sum", "train.lr=1e-10"}, true,
			[]string{"lr 1e-10 on the sum over about 187500 labelled pixels a step is 1.9e-05 on their mean, 0.00019 with momentum 0.9"}, "too little for fresh weights"},
		{[]string{"train.loss=sum", "train.optimizer=adamw", "train.lr=1e-4"}, true, nil, ""},
		{[]string{"train.lr=1e-10"}, false, nil, "learns nothing"},
		{[]string{"model.encoder=vgg16_bn", "train.freeze=conv1_*"}, false,
			[]string{"frozen: conv1_1, conv1_2 (39 k of 134.4 M parameters)"}, "train.freeze: the convolutions before bn1_1, bn1_2 are frozen, but these learn on"},
	} {
		config := dataConfig(t, append([]string{"model.classes=21", "model.upsample=bilinear"}, test.sets...)...)
		var warned []string
		notes, err := describeLearning(config, 375*500, test.fresh, func(text string) { warned = append(warned, text) })
		require.NoError(t, err, test.sets)
		require.Equal(t, test.notes, notes, test.sets)
		if test.warned == "" {
			require.Empty(t, warned, test.sets)
			continue
		}
		require.Len(t, warned, 1, test.sets)
		require.Contains(t, warned[0], test.warned)
	}
	_, err := describeLearning(dataConfig(t, "model.classes=21", "train.loss=sum", "train.lr=1e-4"), 375*500, false, func(string) {})
	var key *train.KeyError
	require.ErrorAs(t, err, &key)
	require.Equal(t, "train.lr", key.Key)
}
