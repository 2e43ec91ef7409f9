package score_test

import (
	"fmt"
	"os"

	"github.com/fcnx/fcnx/train/score"
)

func ExampleConfusion() {
	c := score.New(2)
	truth := []uint8{0, 0, 0, 1, 1, score.Ignore}
	prediction := []uint8{0, 0, 1, 1, 1, 0}
	if err := c.Observe(truth, prediction); err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Table(os.Stdout, []string{"road", "car"}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// class            IoU %  accuracy %  pixels %
	// road              66.7        66.7      60.0
	// car               66.7       100.0      40.0
	//
	// mean IoU          66.7
	// mean accuracy     83.3
	// pixel accuracy    80.0
	// fw IoU            66.7
}
