package weights

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/fcnx/fcnx/checkpoints"
)

// MismatchError says in what a file and a network differ.
type MismatchError struct {
	Path string
	// Misshapen tensors are on both sides, Missing ones only in the network, Extra
	// ones only in the file. They have the file's names and layout, sorted by name.
	Misshapen, Missing, Extra []Difference
	hint                      string
}

// Difference is one tensor; a shape is nil on the side that does not have it.
type Difference struct {
	Name          string
	File, Network []int
}

// match compares the file with what is wanted, and returns the dtype of each tensor.
func match(f *checkpoints.File, want []layout) (dtypes map[string]string, err error) {
	have, dtypes := map[string][]int{}, map[string]string{}
	for _, info := range f.Infos() {
		if strings.HasSuffix(info.Name, ".num_batches_tracked") {
			continue
		}
		have[info.Name] = info.Shape
		dtypes[info.Name] = info.DType
	}
	network := map[string][]int{}
	for _, l := range want {
		network[l.file.Name] = l.file.Shape
	}
	if e := compare(f.Path(), have, network); e != nil {
		return nil, e
	}
	for _, l := range want {
		if _, known := decoders[dtypes[l.file.Name]]; !known {
			return nil, fmt.Errorf("%s: %s is %s; weights are F32, F16, BF16 or F64", f.Path(), l.file.Name, dtypes[l.file.Name])
		}
	}
	return dtypes, nil
}

// compare is nil where both sides are the same tensors.
func compare(path string, have, network map[string][]int) *MismatchError {
	e := &MismatchError{Path: path}
	for name, shape := range network {
		switch got, found := have[name]; {
		case !found:
			e.Missing = append(e.Missing, Difference{name, nil, shape})
		case !slices.Equal(got, shape):
			e.Misshapen = append(e.Misshapen, Difference{name, got, shape})
		}
	}
	for name, shape := range have {
		if _, found := network[name]; !found {
			e.Extra = append(e.Extra, Difference{name, shape, nil})
		}
	}
	for _, list := range [][]Difference{e.Misshapen, e.Missing, e.Extra} {
		slices.SortFunc(list, func(a, b Difference) int { return strings.Compare(a.Name, b.Name) })
	}
	if len(e.Misshapen)+len(e.Missing)+len(e.Extra) == 0 {
		return nil
	}
	e.hint = hint(have, network)
	return e
}

// shown is the number of tensors of each kind that a message lists.
const shown = 6

// Error lists both sides: the one message of this package that has more than a line
// or two, because the names are what it is about.
func (e *MismatchError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s does not fit the network: %d tensors differ in shape, %d are only in the network, %d only in the file\n",
		e.Path, len(e.Misshapen), len(e.Missing), len(e.Extra))
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "  tensor\tin the file\tin the network\n")
	for _, list := range [][]Difference{e.Misshapen, e.Missing, e.Extra} {
		for _, d := range list[:min(len(list), shown)] {
			fmt.Fprintf(table, "  %.80s\t%s\t%s\n", d.Name, side(d.File), side(d.Network))
		}
		if more := len(list) - shown; more > 0 {
			fmt.Fprintf(table, "  and %d more\t...\t...\n", more)
		}
	}
	table.Flush()
	b.WriteString(e.hint)
	return strings.TrimRight(b.String(), "\n")
}

func side(dims []int) string {
	if dims == nil {
		return "-"
	}
	return fmt.Sprintf("%.40s", shape(dims))
}
