package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/train"
)

// newLRCommand is named after the key and the flag whose value it explains.
func newLRCommand() *cobra.Command {
	config := train.Default()
	cfg, batch, size := &config.Train, 1, ""
	cmd := &cobra.Command{
		Use:   "lr --lr X --size HxW [--loss sum|mean] [--momentum M] [--batch N]",
		Short: "Translate a learning rate between the sum and the mean of the loss",
		Long: `Translate a learning rate between the sum of the loss over all pixels, as in the paper, and their mean, and from one
momentum to another. Each line of the table trains as the first one does, weight decay included. Only SGD needs it: AdamW
does not feel the scale of a loss.`,
		Example: "  fcnx lr --loss sum --lr 1e-10 --momentum 0.99 --size 375x500",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("lr") || size == "" {
				return usageError(errors.New("--lr X and --size HxW are needed: what is to be translated, and over how many pixels"))
			}
			h, w, err := train.ParseSize(size)
			if err != nil {
				return usageError(fmt.Errorf("--size: %w", err))
			}
			config.Data.Spec, cfg.Steps, cfg.Batch, config.Model.Classes = "-", 1, batch, 21
			if err := config.Validate(); err != nil {
				return usageError(err)
			}
			pixels := float64(h) * float64(w) * float64(batch)
			warnings, err := cfg.Judge(config.Network().Variables(), pixels, false)
			if err != nil {
				warnings = append(warnings, err.Error())
			}
			for _, text := range warnings {
				warnTo(cmd.ErrOrStderr())(text)
			}
			return printRates(cmd.OutOrStdout(), cfg.Rate(pixels), cfg.WeightDecay)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Float64Var(&cfg.LR, "lr", 0, "the learning rate, as `X`")
	flags.StringVar(&size, "size", "", "height and width of the images, or of the crop, as `HxW`")
	flags.StringVar(&cfg.Loss, "loss", cfg.Loss, "the loss that the rate is for: sum or mean, as `name`")
	flags.Float64Var(&cfg.Momentum, "momentum", cfg.Momentum, "the momentum that it is for, as `M`")
	flags.Float64Var(&cfg.WeightDecay, "weight-decay", cfg.WeightDecay, "the weight decay beside it, as `D`")
	flags.IntVar(&batch, "batch", batch, "images a step, as `N`")
	return cmd
}

// printRates writes what the rate is, and the keys that say the same in other ways.
func printRates(w io.Writer, given train.Rate, decay float64) error {
	momenta := []float64{given.Momentum}
	for _, m := range []float64{0.99, 0.9, 0} {
		if !slices.Contains(momenta, m) {
			momenta = append(momenta, m)
		}
	}
	other := "mean"
	if given.Loss == other {
		other = "sum"
	}
	fmt.Fprintf(w, "%s\n\n", given)
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "train.loss\ttrain.momentum\ttrain.lr\ttrain.weight_decay")
	for _, m := range momenta {
		for _, loss := range []string{given.Loss, other} {
			fmt.Fprintf(table, "%s\t%g\t%.4g\t%.4g\n", loss, m, given.On(loss, m).LR, given.Decay(decay, loss))
		}
	}
	return table.Flush()
}
