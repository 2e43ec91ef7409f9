package sink

import (
	"fmt"
	"maps"
	"slices"

	"github.com/fcnx/fcnx/train/event"
)

// scalar is a value with the name that TensorBoard shows. What stands before the
// slash is a group of charts.
type scalar struct {
	tag   string
	value float64
}

func stepScalars(r event.Step) []scalar {
	all := []scalar{
		{"train/loss", float64(r.Loss)},
		{"train/learning_rate", r.LR},
		{"train/data_ms", r.DataMS},
		{"train/step_ms", r.StepMS},
	}
	if total := r.DataMS + r.StepMS; total > 0 {
		all = append(all, scalar{"train/images_per_second", 1000 * float64(r.Images) / total})
	}
	if r.GradNorm != nil {
		all = append(all, scalar{"train/grad_norm", float64(*r.GradNorm)})
	}
	return all
}

func evalScalars(r event.Eval) []scalar {
	all := []scalar{
		{"val/loss", float64(r.Loss)},
		{"val/mean_iou", float64(r.MeanIoU)},
		{"val/pixel_accuracy", float64(r.PixelAccuracy)},
		{"val/mean_accuracy", float64(r.MeanAccuracy)},
		{"val/fw_iou", float64(r.FwIoU)},
	}
	for _, name := range slices.Sorted(maps.Keys(r.ClassIoU)) {
		if iou := r.ClassIoU[name]; iou != nil {
			all = append(all, scalar{"val/iou/" + name, float64(*iou)})
		}
	}
	return all
}

func systemScalars(r event.System) []scalar {
	all := []scalar{
		{"system/cpu_percent", r.CPUPercent},
		{"system/rss_bytes", float64(r.RSS)},
	}
	for i, gpu := range r.GPUs {
		group := fmt.Sprintf("system/gpu%d/", i)
		all = append(all,
			scalar{group + "utilization_percent", gpu.Utilization},
			scalar{group + "memory_used_bytes", float64(gpu.Used)})
		if gpu.Watts > 0 {
			all = append(all, scalar{group + "watts", gpu.Watts})
		}
		if gpu.Celsius > 0 {
			all = append(all, scalar{group + "celsius", gpu.Celsius})
		}
	}
	return all
}
