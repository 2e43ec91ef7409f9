package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/device"
)

// check is one line of `fcnx doctor`.
type check struct {
	Name   string `json:"name"`
	Status string `json:"status"` // one of the constants below
	Detail string `json:"detail"`
	Repair string `json:"repair,omitempty"` // one command
}

const (
	statusOK      = "ok"
	statusMissing = "missing"
	statusBroken  = "broken"
	statusNone    = "-" // not here, and nothing that a command could bring
)

// diagnosis is what `fcnx doctor --json` prints.
type diagnosis struct {
	Backend string  `json:"backend"` // what auto computes on; empty where it refuses
	Checks  []check `json:"checks"`
}

func newDoctorCommand() *cobra.Command {
	var asJSON bool
	doctor := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is here, what is missing and how to repair it",
		Long: `Say what is here, what is missing and the one command that repairs it. Each backend
that is here compiles and runs a tiny graph, whose result is checked.
The exit code is 5 if no XLA backend works.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := pluginStore()
			if err != nil {
				return err
			}
			d := diagnose(cmd.Context(), store)
			if asJSON {
				err = writeIndented(cmd.OutOrStdout(), d)
			} else {
				err = printDiagnosis(cmd, d)
			}
			if err != nil {
				return err
			}
			if d.Backend != device.CPU && d.Backend != device.CUDA {
				return backendError(errors.New("no XLA backend works here; " + remedy(d)))
			}
			return nil
		},
	}
	doctor.AddCommand(newDoctorBackendCommand())
	doctor.Flags().BoolVar(&asJSON, "json", false, "print the checks as JSON")
	return doctor
}

// remedy is the way to a working XLA backend.
func remedy(d diagnosis) string {
	for _, c := range d.Checks {
		if c.Name == "cpu plugin" && c.Repair != "" {
			return "`" + c.Repair + "` is the way to one"
		}
	}
	return "the table says why"
}

// diagnose runs all checks, from what everything rests on to what computes.
func diagnose(ctx context.Context, store *device.Store) diagnosis {
	checks := []check{checkBuild(), checkMachine(), checkCompiler(), checkPython(ctx), checkPip(ctx), checkGPU()}
	cpu := checkPlugin(ctx, store, device.CPU)
	cuda := checkPlugin(ctx, store, device.CUDA)
	checks = append(checks, cpu, cuda)

	// As device.Open does for auto: a GPU that does not answer is passed over, a
	// damaged CPU plugin is not.
	usable := ""
	for _, c := range []struct {
		kind   string
		plugin check
	}{{device.CUDA, cuda}, {device.CPU, cpu}, {device.Go, check{Status: statusOK}}} {
		if c.plugin.Status != statusOK || c.kind == device.CUDA && len(device.GPUs()) == 0 {
			continue
		}
		computes := checkBackendApart(ctx, c.kind)
		checks = append(checks, computes)
		if computes.Status == statusOK && usable == "" {
			usable = c.kind
		}
	}
	if usable == device.Go && cpu.Status != statusMissing {
		usable = ""
	}
	return diagnosis{Backend: usable, Checks: checks}
}

func printDiagnosis(cmd *cobra.Command, d diagnosis) error {
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, c := range d.Checks {
		detail := c.Detail
		if c.Repair != "" {
			detail += "; repair: " + c.Repair
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", c.Status, c.Name, harmless(detail))
	}
	conclusion := "computes on " + d.Backend
	if d.Backend == "" {
		conclusion = "refuses to compute on a CPU plugin that is broken"
	}
	fmt.Fprintf(table, "=>\tauto\t%s\n", conclusion)
	return table.Flush()
}

func checkBuild() check {
	parts := []string{"fcnx " + version, runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			switch dep.Path {
			case "github.com/gomlx/gomlx", "github.com/gomlx/go-xla", "github.com/gomlx/compute":
				parts = append(parts, dep.Path[strings.LastIndexByte(dep.Path, '/')+1:]+" "+dep.Version)
			}
		}
	}
	return check{Name: "build", Status: statusOK, Detail: strings.Join(parts, ", ")}
}

func checkMachine() check {
	detail := fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	if total, available := memory(); total > 0 {
		detail += fmt.Sprintf(", %.1f GB of memory, %.1f available", float64(total)/1e9, float64(available)/1e9)
	}
	return check{Name: "machine", Status: statusOK, Detail: detail}
}

// memory reads how many bytes the machine has, and how many could be had now.
func memory() (total, available int64) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var name string
		var kibibytes int64
		if _, err := fmt.Sscan(lines.Text(), &name, &kibibytes); err != nil {
			continue
		}
		switch name {
		case "MemTotal:":
			total = kibibytes << 10
		case "MemAvailable:":
			available = kibibytes << 10
		}
	}
	return total, available
}

// checkCompiler looks for what only building fcnx needs.
func checkCompiler() check {
	c := check{Name: "C compiler", Status: statusOK}
	for _, name := range []string{os.Getenv("CC"), "gcc", "clang", "cc"} {
		if path, err := exec.LookPath(name); err == nil {
			c.Detail = path + " (only building fcnx needs it)"
			return c
		}
	}
	c.Status, c.Detail, c.Repair = statusMissing, "only building fcnx needs it", "apt-get install gcc libc6-dev"
	return c
}

func checkPython(ctx context.Context) check {
	return checkTool(ctx, "python3", "apt-get install python3-pip", "--version")
}

func checkPip(ctx context.Context) check {
	c := checkTool(ctx, "python3", "apt-get install python3-pip", "-m", "pip", "--version")
	c.Name = "pip"
	return c
}

// checkTool runs a command that prints its version.
func checkTool(ctx context.Context, name, repair string, args ...string) check {
	c := check{Name: name, Status: statusMissing, Repair: repair}
	path, err := exec.LookPath(name)
	if err != nil {
		c.Detail = name + " is not on PATH"
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...) // #nosec G204 -- a tool of the PATH, as the user has it
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it has started something that holds its output, and ended well itself
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	c.Detail = path + ": " + line
	if err != nil {
		c.Detail = fmt.Sprintf("%s %s: %s (%v)", path, strings.Join(args, " "), line, err)
		return c
	}
	c.Status, c.Repair = statusOK, ""
	return c
}

func checkGPU() check {
	gpus, driver := device.GPUs(), device.Driver()
	switch {
	case len(gpus) > 0 && driver == "":
		return check{Name: "GPU", Status: statusOK, Detail: strings.Join(gpus, " ")}
	case len(gpus) > 0:
		return check{Name: "GPU", Status: statusOK, Detail: strings.Join(gpus, " ") + ", driver " + driver}
	case driver != "":
		return check{Name: "GPU", Status: statusBroken, Detail: "the driver " + driver + " is loaded but shows no device", Repair: "nvidia-modprobe -c 0"}
	}
	return check{Name: "GPU", Status: statusNone, Detail: "no NVIDIA GPU (no /dev/nvidia0, no driver)"}
}

func checkPlugin(ctx context.Context, store *device.Store, kind string) check {
	c := check{Name: kind + " plugin"}
	start := time.Now()
	p, err := store.Verify(ctx, kind)
	switch {
	case err == nil:
		c.Status = statusOK
		c.Detail = fmt.Sprintf("%s, %s, %d MB, sha256 checked in %.2f s", pluginName(p), pluginOrigin(p), p.Size/1e6, time.Since(start).Seconds())
	case errors.Is(err, device.ErrNotInstalled) && kind == device.CUDA && len(device.GPUs()) == 0:
		c.Status, c.Detail = statusNone, "not installed, and there is no GPU for it"
	case errors.Is(err, device.ErrNotInstalled):
		c.Status, c.Detail, c.Repair = statusMissing, "not installed in "+store.Dir, "fcnx plugins install "+kind
	default:
		c.Status, c.Detail = statusBroken, err.Error()
		var damage *device.Damage
		if errors.As(err, &damage) {
			c.Detail, c.Repair = damage.What, damage.Repair
		}
	}
	return c
}
