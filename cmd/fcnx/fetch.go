package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/fcnx/fcnx/checkpoints/weights"
	"github.com/fcnx/fcnx/checkpoints/weights/hub"
	"github.com/fcnx/fcnx/checkpoints/weights/pth"
)

// fetched is the path of what arg names: arg itself, or where a file of a hub lies once
// it was fetched. note says which commit that is; it is empty for everything else.
func fetched(ctx context.Context, arg string, tell func(string)) (path, note string, err error) {
	if !strings.HasPrefix(arg, hub.Scheme) {
		return arg, "", nil
	}
	name, err := hub.Parse(arg)
	if err != nil {
		return "", "", usageError(err)
	}
	client, err := hub.FromEnv(os.Getenv)
	if err != nil {
		return "", "", usageError(fmt.Errorf("%s: %w", arg, err))
	}
	const step = 64 << 20
	next := int64(step)
	client.Progress = func(done, total int64) {
		if done < next {
			return
		}
		next = done + step
		tell(fmt.Sprintf("%s: %d of %d MB are here", arg, done/1e6, max(total, done)/1e6))
	}
	file, err := client.Fetch(ctx, name)
	if err != nil {
		return "", "", dataError(err)
	}
	return file.Path, fmt.Sprintf("%s is %s", arg, file.Name), nil
}

// indexPTH reads the index of a file of torch.save.
func indexPTH(f *os.File) (pth.Index, error) {
	info, err := f.Stat()
	if err != nil {
		return pth.Index{}, err
	}
	return pth.ReadIndex(f, info.Size())
}

// openTensors opens a file of weights of any format.
func openTensors(path string) (weights.Tensors, error) { return weights.OpenTensors(path, indexPTH) }
