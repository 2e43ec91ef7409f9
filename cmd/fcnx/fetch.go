package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/fcnx/fcnx/checkpoints/weights"
	"github.com/fcnx/fcnx/checkpoints/weights/hub"
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
		return "", "", dataError(writeErrorBelow(client.Dir, err))
	}
	return file.Path, fmt.Sprintf("%s is %s", arg, file.Name), nil
}

// openArgument opens the network that arg names, from a hub where it lies there. stderr
// hears which commit that is.
func openArgument(ctx context.Context, arg string, flags networkFlags, stderr io.Writer, warn func(string)) (*network, error) {
	path, err := fetchedArgument(ctx, arg, stderr, warn)
	if err != nil {
		return nil, err
	}
	return openNetwork(ctx, path, flags, warn)
}

// fetchedArgument is fetched, whose note it tells stderr.
func fetchedArgument(ctx context.Context, arg string, stderr io.Writer, warn func(string)) (string, error) {
	path, note, err := fetched(ctx, arg, warn)
	if err != nil {
		return "", interrupted(ctx, err, "nothing was done")
	}
	if note != "" {
		fmt.Fprintln(stderr, note)
	}
	return path, nil
}

// openTensors opens a file of weights of any format. What could execute is read by a
// process of its own.
func openTensors(ctx context.Context, path string) (weights.Tensors, error) {
	return weights.OpenTensors(path, indexInChild(ctx))
}
