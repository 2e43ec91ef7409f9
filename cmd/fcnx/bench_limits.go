package main

import "fmt"

// compare holds every row to what the machine can do, and says what limits it as far as
// another row tells. Nothing is said where nothing was measured.
func (r *benchReport) compare() {
	product := r.find(partProduct, 0, 0, 0)
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Part != partProduct && product != nil && product.FLOPS > 0 {
			row.ShareOfPeak = row.FLOPS / product.FLOPS
		}
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		switch row.Part {
		case partInference:
			row.Limit = row.ofArithmetic()
		case partTrain:
			row.Limit = r.ofStep(row)
		case partUpdate:
			row.Limit = r.ofUpdate(row)
		case partData, partData + "_cached":
			row.Limit = r.ofLoader(row)
		case partEval:
			row.Limit = r.ofEvaluation(row)
		case partCheckpoint + "_save", partCheckpoint + "_load":
			row.Limit = r.ofCheckpoint(row)
		case partDashboard:
			row.Limit = fmt.Sprintf("%s of the time of one core while a live run is watched: four frames a second", percent(row.Median/benchedFrame.Seconds()))
		}
	}
}

// find is the first row of a part, and of a shape unless that is zero; nil where there is
// none.
func (r *benchReport) find(part string, batch, h, w int) *benchRow {
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Part == part && (batch == 0 || row.Batch == batch && row.Height == h && row.Width == w) {
			return row
		}
	}
	return nil
}

// ofArithmetic is for work that is nothing but the network.
func (row *benchRow) ofArithmetic() string {
	switch {
	case row.ShareOfPeak == 0:
		return ""
	case row.ShareOfPeak >= 0.6:
		return percent(row.ShareOfPeak) + " of the peak: arithmetic limits it; fewer multiply-adds would help (size, model.width)"
	}
	return percent(row.ShareOfPeak) + " of the peak: not arithmetic but what surrounds it; see larger images, or more of them at a time"
}

// ofStep tells of a training step what waits for what.
func (r *benchReport) ofStep(row *benchRow) string {
	if loader := r.loader(); loader != nil && loader.Rate < row.Rate {
		return fmt.Sprintf("data: it takes %.1f images/s and the loader gives %.1f; data.cache and data.workers are for that", row.Rate, loader.Rate)
	}
	if update := r.find(partUpdate, 0, 0, 0); update != nil && update.Median >= row.Median/4 {
		return fmt.Sprintf("weights: %s s of it (%s) are there on a tiny image too; a larger batch shares them",
			seconds(update.Median), percent(update.Median/row.Median))
	}
	forward := r.find(partInference, row.Batch, row.Height, row.Width)
	product := r.find(partProduct, 0, 0, 0)
	if forward == nil || product == nil || forward.Median >= row.Median {
		return row.ofArithmetic()
	}
	back := 2 * float64(row.MultiplyAdds-forward.MultiplyAdds) / (row.Median - forward.Median) / product.FLOPS
	if back < 0.8*forward.ShareOfPeak {
		return fmt.Sprintf("gradients: forward at %s of the peak, gradients and update at %s", percent(forward.ShareOfPeak), percent(back))
	}
	return row.ofArithmetic()
}

// ofUpdate tells of the smallest step how much of a larger one it is.
func (r *benchReport) ofUpdate(row *benchRow) string {
	step := r.find(partTrain, 0, 0, 0)
	if step == nil || step.Median <= 0 {
		return ""
	}
	return fmt.Sprintf("little but weights, gradients and update: %s of the %s", percent(row.Median/step.Median), step.Name)
}

// loader is the row of the loader as a run uses it.
func (r *benchReport) loader() *benchRow {
	if cached := r.find(partData+"_cached", 0, 0, 0); cached != nil {
		return cached
	}
	return r.find(partData, 0, 0, 0)
}

// ofLoader compares it with what it feeds.
func (r *benchReport) ofLoader(row *benchRow) string {
	step := r.find(partTrain, row.Batch, row.Height, row.Width)
	if step == nil || step.Rate <= 0 {
		return ""
	}
	times := row.Rate / step.Rate
	if times < 1 {
		return fmt.Sprintf("it gives %s of what the training step takes", percent(times))
	}
	return fmt.Sprintf("it gives %.1f times what the training step takes", times)
}

// ofEvaluation tells how much of it is the network.
func (r *benchReport) ofEvaluation(row *benchRow) string {
	forward := r.find(partInference, row.Batch, row.Height, row.Width)
	if forward == nil || row.Rate <= 0 || forward.Rate <= 0 {
		return ""
	}
	return fmt.Sprintf("the network is %s of it; the rest is loading, loss and counting", percent(min(1, row.Rate/forward.Rate)))
}

// ofCheckpoint compares it with the disk.
func (r *benchReport) ofCheckpoint(row *benchRow) string {
	plain := r.find(partCheckpoint+"_disk", 0, 0, 0)
	if plain == nil || plain.Median <= 0 {
		return ""
	}
	if row.StillMedian > 0 {
		return fmt.Sprintf("%.1f times a plain file of that size; training stands still for %s s of it", row.Median/plain.Median, seconds(row.StillMedian))
	}
	return "read, and its hash checked"
}

func percent(share float64) string { return fmt.Sprintf("%.0f%%", 100*share) }
