package event

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Float is a float64 whose NaN and infinities survive JSON, as the strings "NaN",
// "+Inf" and "-Inf": a run that diverges must be able to say so.
type Float float64

// MarshalJSON implements [json.Marshaler].
func (f Float) MarshalJSON() ([]byte, error) {
	v := float64(f)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.AppendQuote(nil, strconv.FormatFloat(v, 'g', -1, 64)), nil
	}
	return json.Marshal(v)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (f *Float) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		switch string(data) {
		case `"NaN"`:
			*f = Float(math.NaN())
		case `"+Inf"`:
			*f = Float(math.Inf(1))
		case `"-Inf"`:
			*f = Float(math.Inf(-1))
		default:
			return fmt.Errorf("%s is not a number", data)
		}
		return nil
	}
	return json.Unmarshal(data, (*float64)(f))
}
