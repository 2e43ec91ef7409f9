package pth

// widths has the dtypes that can be read, as safetensors spells them, in bytes an
// element.
var widths = map[string]int64{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1,
	"U16": 2, "I16": 2, "F16": 2, "BF16": 2,
	"U32": 4, "I32": 4, "F32": 4,
	"U64": 8, "I64": 8, "F64": 8, "C64": 8,
}

// storageTypes are the classes of torch's storages.
var storageTypes = map[string]storageType{
	"torch.DoubleStorage": {"F64", 8}, "torch.FloatStorage": {"F32", 4}, "torch.HalfStorage": {"F16", 2}, "torch.BFloat16Storage": {"BF16", 2},
	"torch.LongStorage": {"I64", 8}, "torch.IntStorage": {"I32", 4}, "torch.ShortStorage": {"I16", 2}, "torch.CharStorage": {"I8", 1},
	"torch.ByteStorage": {"U8", 1}, "torch.BoolStorage": {"BOOL", 1}, "torch.ComplexFloatStorage": {"C64", 8},
	"torch.UntypedStorage": {"U8", 1}, "torch.storage.UntypedStorage": {"U8", 1}, "torch.storage._UntypedStorage": {"U8", 1},
	"torch.ComplexDoubleStorage": {"", 16},
	"torch.QInt8Storage":         {"", 1}, "torch.QUInt8Storage": {"", 1}, "torch.QInt32Storage": {"", 4},
	"torch.QUInt4x2Storage": {"", 1}, "torch.QUInt2x4Storage": {"", 1},
}

type storageType struct {
	dtype string // empty where the numbers cannot be read
	width int64  // bytes an element
}

// dtypes are torch's own names of the dtypes; those that cannot be read are empty.
var dtypes = map[string]string{
	"torch.float64": "F64", "torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16",
	"torch.float8_e4m3fn": "F8_E4M3", "torch.float8_e5m2": "F8_E5M2",
	"torch.int64": "I64", "torch.int32": "I32", "torch.int16": "I16", "torch.int8": "I8",
	"torch.uint64": "U64", "torch.uint32": "U32", "torch.uint16": "U16", "torch.uint8": "U8",
	"torch.bool": "BOOL", "torch.complex64": "C64",
	"torch.complex128": "", "torch.complex32": "", "torch.qint8": "", "torch.quint8": "", "torch.qint32": "",
	"torch.float8_e4m3fnuz": "", "torch.float8_e5m2fnuz": "", "torch.float8_e8m0fnu": "", "torch.float4_e2m1fn_x2": "",
}
