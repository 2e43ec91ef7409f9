package metrics

import (
	"slices"
	"strconv"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// measure is a metric: its name, and how its values follow from the state. Units
// are Prometheus' base units: seconds, bytes, and ratios from 0 to 1. Every measure
// has the label "run" besides its own.
type measure struct {
	name   string
	help   string
	labels []string
	of     func(s *state, send sender)
}

// sender takes a value, with the values of the measure's labels.
type sender func(value float64, labels ...string)

// phases are in the order of a run.
func phases() []string {
	return []string{event.PhaseLoad, event.PhaseCompile, event.PhaseTrain, event.PhaseEval, event.PhaseSave}
}

// measures are all of them; docs/sinks.md lists them too.
func measures() []measure {
	return slices.Concat(runMeasures(), stepMeasures(), evalMeasures(), machineMeasures())
}

func runMeasures() []measure {
	return []measure{
		{"fcnx_run_info", "What the run trains, and on what; always 1.", []string{"version", "model", "encoder", "data", "backend", "plugin"},
			ofStarted(func(r *event.Started, send sender) {
				send(1, r.Version, r.Model, r.Encoder, r.Data, r.Backend, r.Plugin)
			})},
		{"fcnx_start_timestamp_seconds", "When this process began to train.", nil,
			func(s *state, send sender) {
				if s.started != nil {
					sendTime(send, s.began)
				}
			}},
		{"fcnx_last_event_timestamp_seconds", "When the run last said anything of itself; records of the machine do not count.", nil,
			func(s *state, send sender) { sendTime(send, s.last) }},
		{"fcnx_phase", "1 for what the run does now, 0 for the rest; all 0 once it has ended.", []string{"phase"},
			func(s *state, send sender) {
				if s.phase == nil {
					return
				}
				now := s.phase.Name
				if s.finished != nil {
					now = ""
				}
				for _, name := range phases() {
					send(truth(name == now), name)
				}
				if now != "" && !slices.Contains(phases(), now) {
					send(1, now)
				}
			}},
		{"fcnx_checkpoint_step", "Step of the last checkpoint.", nil,
			ofSaved(func(r *event.Saved, send sender) { send(float64(r.Step)) })},
		{"fcnx_checkpoint_timestamp_seconds", "When the last checkpoint was safely on disk.", nil,
			ofSaved(func(r *event.Saved, send sender) { sendTime(send, r.Time) })},
		{"fcnx_checkpoint_bytes", "Size of the last checkpoint.", nil,
			ofSaved(func(r *event.Saved, send sender) { send(float64(r.Bytes)) })},
		{"fcnx_checkpoint_save_seconds", "How long it took until the last checkpoint was safely on disk.", nil,
			ofSaved(func(r *event.Saved, send sender) { send(r.Seconds) })},
		{"fcnx_checkpoint_held_seconds", "How long training stood still for the last checkpoint.", nil,
			ofSaved(func(r *event.Saved, send sender) { send(r.HeldSeconds) })},
		{"fcnx_finished", "1 once the process has ended in order; 0 and an old fcnx_last_event_timestamp_seconds: it hangs, or in a text file it was killed.", nil,
			func(s *state, send sender) { send(truth(s.finished != nil)) }},
		{"fcnx_exit_code", "Exit code of the process; absent while it runs.", []string{"reason"},
			func(s *state, send sender) {
				if s.finished != nil {
					send(float64(s.finished.ExitCode), s.finished.Reason)
				}
			}},
	}
}

func stepMeasures() []measure {
	return []measure{
		{"fcnx_step", "Steps done, those before the run was resumed too.", nil, func(s *state, send sender) {
			switch {
			case s.step != nil:
				send(float64(s.step.Step))
			case s.started != nil:
				send(float64(s.started.Step))
			}
		}},
		{"fcnx_planned_steps", "Steps the run will have when it ends.", nil,
			ofStarted(func(r *event.Started, send sender) { send(float64(r.Steps)) })},
		{"fcnx_epoch", "Samples drawn over samples in an epoch.", nil,
			ofStep(func(r *event.Step, send sender) { send(r.Epoch) })},
		{"fcnx_planned_epochs", "Epochs the run will have when it ends.", nil,
			ofStarted(func(r *event.Started, send sender) { send(r.Epochs) })},
		{"fcnx_loss", "Loss of the last step's batch.", nil,
			ofStep(func(r *event.Step, send sender) { send(float64(r.Loss)) })},
		{"fcnx_learning_rate", "Learning rate of the last step.", nil,
			ofStep(func(r *event.Step, send sender) { send(r.LR) })},
		{"fcnx_gradient_norm", "L2 norm of all gradients of the last step, before clipping; absent without clipping.", nil,
			ofStep(func(r *event.Step, send sender) {
				if r.GradNorm != nil {
					send(float64(*r.GradNorm))
				}
			})},
		{"fcnx_last_step_seconds", "The last step, without the wait for its batch.", nil,
			ofStep(func(r *event.Step, send sender) { send(r.StepMS / 1000) })},
		{"fcnx_last_step_data_wait_seconds", "The last step's wait for its batch.", nil,
			ofStep(func(r *event.Step, send sender) { send(r.DataMS / 1000) })},
		{"fcnx_images_per_second", "Images over time of the last step, the wait for its batch included.", nil,
			ofStep(func(r *event.Step, send sender) {
				if total := r.DataMS + r.StepMS; total > 0 {
					send(1000 * float64(r.Images) / total)
				}
			})},
		{"fcnx_steps_total", "Steps that this process has done.", nil,
			func(s *state, send sender) { send(float64(s.steps)) }},
		{"fcnx_images_total", "Images that this process has trained on.", nil,
			func(s *state, send sender) { send(float64(s.images)) }},
		{"fcnx_step_seconds_total", "Time that this process has spent on steps.", nil,
			func(s *state, send sender) { send(s.stepSeconds) }},
		{"fcnx_data_wait_seconds_total", "Time that this process has waited for batches.", nil,
			func(s *state, send sender) { send(s.dataWaits) }},
	}
}

func evalMeasures() []measure {
	return []measure{
		{"fcnx_eval_step", "Step of the last evaluation.", nil,
			ofEval(func(r *event.Eval, send sender) { send(float64(r.Step)) })},
		{"fcnx_eval_loss", "Loss over the validation set.", nil,
			ofEval(func(r *event.Eval, send sender) { send(float64(r.Loss)) })},
		{"fcnx_eval_mean_iou_ratio", "Mean of the classes' intersection over union.", nil,
			ofEval(func(r *event.Eval, send sender) { send(float64(r.MeanIoU)) })},
		{"fcnx_eval_pixel_accuracy_ratio", "Labelled pixels that are right.", nil,
			ofEval(func(r *event.Eval, send sender) { send(float64(r.PixelAccuracy)) })},
		{"fcnx_eval_mean_accuracy_ratio", "Mean of the classes' share of right pixels.", nil,
			ofEval(func(r *event.Eval, send sender) { send(float64(r.MeanAccuracy)) })},
		{"fcnx_eval_fw_iou_ratio", "Intersection over union, weighted by the share of labels.", nil,
			ofEval(func(r *event.Eval, send sender) { send(float64(r.FwIoU)) })},
		{"fcnx_eval_class_iou_ratio", "Intersection over union of a class; absent where neither labels nor predictions have it.", []string{"class"},
			ofEval(func(r *event.Eval, send sender) {
				for name, iou := range r.ClassIoU {
					if iou != nil {
						send(float64(*iou), name)
					}
				}
			})},
		{"fcnx_eval_seconds", "How long the last evaluation took.", nil,
			ofEval(func(r *event.Eval, send sender) { send(r.Seconds) })},
		{"fcnx_best_mean_iou_ratio", "Highest mean IoU that this process knows of.", nil,
			func(s *state, send sender) {
				if s.best.known {
					send(s.best.meanIoU)
				}
			}},
		{"fcnx_best_step", "Step of the evaluation with the highest mean IoU.", nil,
			func(s *state, send sender) {
				if s.best.known {
					send(float64(s.best.step))
				}
			}},
	}
}

func machineMeasures() []measure {
	gpu := []string{"gpu", "name"}
	return []measure{
		{"fcnx_cpu_used_ratio", "Processor time over time, of one core: 2 is two cores.", nil,
			ofSystem(func(r *event.System, send sender) { send(r.CPUPercent / 100) })},
		{"fcnx_resident_memory_bytes", "Resident memory of the process.", nil,
			ofSystem(func(r *event.System, send sender) { send(float64(r.RSS)) })},
		{"fcnx_machine_memory_bytes", "Memory of the machine.", nil,
			ofSystem(func(r *event.System, send sender) { send(float64(r.Memory)) })},
		{"fcnx_machine_memory_available_bytes", "Memory that new processes could have.", nil,
			ofSystem(func(r *event.System, send sender) { send(float64(r.Free)) })},
		{"fcnx_disk_free_bytes", "Free space where the run directory is.", nil,
			ofSystem(func(r *event.System, send sender) { send(float64(r.Disk)) })},
		{"fcnx_gpu_used_ratio", "Share of time in which the GPU was busy.", gpu,
			ofGPUs(func(g event.GPU) (float64, bool) { return g.Utilization / 100, true })},
		{"fcnx_gpu_memory_used_bytes", "Memory of the GPU that is in use.", gpu,
			ofGPUs(func(g event.GPU) (float64, bool) { return float64(g.Used), true })},
		{"fcnx_gpu_memory_bytes", "Memory of the GPU.", gpu,
			ofGPUs(func(g event.GPU) (float64, bool) { return float64(g.Memory), true })},
		{"fcnx_gpu_power_watts", "Power that the GPU draws.", gpu,
			ofGPUs(func(g event.GPU) (float64, bool) { return g.Watts, g.Watts > 0 })},
		{"fcnx_gpu_temperature_celsius", "Temperature of the GPU.", gpu,
			ofGPUs(func(g event.GPU) (float64, bool) { return g.Celsius, g.Celsius > 0 })},
	}
}

// These make a measure of one that needs a record: without it there is no value.

func ofStarted(f func(*event.Started, sender)) func(*state, sender) {
	return whereThere(func(s *state) *event.Started { return s.started }, f)
}

func ofStep(f func(*event.Step, sender)) func(*state, sender) {
	return whereThere(func(s *state) *event.Step { return s.step }, f)
}

func ofEval(f func(*event.Eval, sender)) func(*state, sender) {
	return whereThere(func(s *state) *event.Eval { return s.eval }, f)
}

func ofSaved(f func(*event.Saved, sender)) func(*state, sender) {
	return whereThere(func(s *state) *event.Saved { return s.saved }, f)
}

func ofSystem(f func(*event.System, sender)) func(*state, sender) {
	return whereThere(func(s *state) *event.System { return s.system }, f)
}

func ofGPUs(f func(event.GPU) (float64, bool)) func(*state, sender) {
	return ofSystem(func(r *event.System, send sender) {
		for i, g := range r.GPUs {
			if value, ok := f(g); ok {
				send(value, strconv.Itoa(i), g.Name)
			}
		}
	})
}

func whereThere[T any](record func(*state) *T, f func(*T, sender)) func(*state, sender) {
	return func(s *state, send sender) {
		if r := record(s); r != nil {
			f(r, send)
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func sendTime(send sender, t time.Time) {
	if !t.IsZero() {
		send(float64(t.Unix()) + float64(t.Nanosecond())/1e9)
	}
}
