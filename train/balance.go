package train

import "slices"

// BalancedWeights turns label frequencies into class weights for the loss.
//
//   - "median": the median of all classes' frequencies over the class's own, where
//     the frequency of a class is its pixels over all labelled pixels of the images
//     that have it (Eigen and Fergus 2015, section 6.3.2).
//   - "inverse": labelled pixels over (classes times the class's pixels), so that
//     every class has the same share in the loss.
//
// A class without a single pixel has weight 1; it never counts.
func BalancedWeights(kind string, pixels, imagePixels []int64) []float64 {
	weights := make([]float64, len(pixels))
	var frequencies []float64
	var total int64
	for c, n := range pixels {
		weights[c] = 1
		total += n
		if n > 0 {
			frequencies = append(frequencies, float64(n)/float64(imagePixels[c]))
		}
	}
	if len(frequencies) == 0 {
		return weights
	}
	slices.Sort(frequencies)
	median := (frequencies[(len(frequencies)-1)/2] + frequencies[len(frequencies)/2]) / 2
	for c, n := range pixels {
		switch {
		case n == 0:
		case kind == "median":
			weights[c] = median * float64(imagePixels[c]) / float64(n)
		case kind == "inverse":
			weights[c] = float64(total) / (float64(len(frequencies)) * float64(n))
		}
	}
	return weights
}
