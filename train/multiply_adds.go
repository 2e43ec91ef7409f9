package train

import "github.com/fcnx/fcnx/models"

// StepMultiplyAdds counts the multiply-adds of a training step for one image of h by w
// pixels, as [models.TracedOp] counts those of the forward pass. Each convolution and
// upsampling is done once; once more for the gradient of its kernel, where that learns;
// and once more for the gradient of its input, where something before it learns. What
// the update itself multiplies is not counted.
func (t TrainConfig) StepMultiplyAdds(net models.Config, h, w int) (int64, error) {
	trace, err := net.Trace(h, w)
	if err != nil {
		return 0, err
	}
	layers, kernels := map[string]bool{}, map[string]bool{}
	for _, v := range net.Variables() {
		if !t.groupOf(v).frozen {
			layers[v.Layer] = true
			kernels[v.Layer] = kernels[v.Layer] || v.Role != models.Bias
		}
	}
	total := int64(0)
	needed := map[string]bool{} // the gradient of what an operation gives
	for _, op := range trace.Ops {
		before := false
		for _, input := range op.Inputs {
			before = before || needed[input]
		}
		needed[op.Name] = before || layers[op.Name]
		total += op.MultiplyAdds
		if kernels[op.Name] {
			total += op.MultiplyAdds
		}
		if before {
			total += op.MultiplyAdds
		}
	}
	return total, nil
}
