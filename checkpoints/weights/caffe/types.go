package caffe

import "fmt"

// v1Types has the later names of V1LayerParameter.LayerType, which are those of Caffe's
// UpgradeV1LayerType.
var v1Types = map[uint64]string{
	0: "", 1: "Accuracy", 2: "BNLL", 3: "Concat", 4: "Convolution", 5: "Data", 6: "Dropout",
	7: "EuclideanLoss", 8: "Flatten", 9: "HDF5Data", 10: "HDF5Output", 11: "Im2col",
	12: "ImageData", 13: "InfogainLoss", 14: "InnerProduct", 15: "LRN",
	16: "MultinomialLogisticLoss", 17: "Pooling", 18: "ReLU", 19: "Sigmoid", 20: "Softmax",
	21: "SoftmaxWithLoss", 22: "Split", 23: "TanH", 24: "WindowData", 25: "Eltwise",
	26: "Power", 27: "SigmoidCrossEntropyLoss", 28: "HingeLoss", 29: "MemoryData",
	30: "ArgMax", 31: "Threshold", 32: "DummyData", 33: "Slice", 34: "MVN", 35: "AbsVal",
	36: "Silence", 37: "ContrastiveLoss", 38: "Exp", 39: "Deconvolution",
}

func v1Type(v uint64) string {
	if name, known := v1Types[v]; known {
		return name
	}
	return fmt.Sprintf("V1 type %d", v)
}
