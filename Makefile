# One verb a line; `make` alone prints them.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
GO ?= go
FUZZTIME ?= 20s
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
VULNDB ?= # of govulncheck; empty: its own
GOSEC := github.com/securego/gosec/v2/cmd/gosec@v2.30.0

# Rules of gosec that say nothing here. All others hold, and where one is wrong the line
# says why: #nosec RULE -- REASON.
#   G104 (an error is dropped): errcheck of golangci-lint holds that, with its own list.
#   G301, G302, G306 (modes wider than 0600): a run is read by whom the umask lets read it.
#   G304 (a file by a name that is not constant): the files are the user's arguments;
#        what a data set or a run names is opened below an os.Root.
#   G404 (weak random numbers): all chance comes again from a seed, and none is a secret.
#   G115 (a number that may not fit): held in checkpoints and device, which read numbers of
#        strangers; elsewhere they are pixels and steps of our own.
# bench holds tools of developers.
GOSEC_FLAGS := -quiet -color=false -nosec-require-rules -nosec-require-justification \
	-exclude G104,G301,G302,G304,G306,G404 -exclude-dir bench \
	-exclude-rules '/(cmd|datasets|models|monitor|onnx|predict|train|tui)/.*:G115'

# The packages that have tests, each with all that its tests are built from.
TESTED := $(GO) list -test -f '{{.ImportPath}} {{join .Deps " "}}' ./... | sed -n 's/^\([^ ]*\)\.test /\1 /p'

.PHONY: help build plugin train test lint vulns fuzz bench golden parity screens torture

help: ## print this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

build: ## build bin/fcnx
	@command -v $(GO) >/dev/null || { echo "Go 1.26 or newer is needed: https://go.dev/doc/install" >&2; exit 1; }
	@cc=$$($(GO) env CC); command -v $${cc%% *} >/dev/null || { echo "a C compiler is needed ($$cc): apt-get install gcc libc6-dev" >&2; exit 1; }
	$(GO) build -trimpath -o bin/fcnx ./cmd/fcnx

plugin: build ## put XLA's CPU plugin in place, its hash checked
	bin/fcnx plugins install cpu

train: plugin ## train FCN-8s on generated shapes, with a table and pictures at the end
	bin/fcnx train --config recipes/shapes.toml

# The race detector comes with checks of unsafe pointers, which GoMLX fails by design.
RACEXLA := -race '-gcflags=github.com/gomlx/...=-d=checkptr=0' -run '^TestRunAmongMany$$'

test: plugin ## run every test: with the race detector, and on XLA, where it watches one run
	@failed=0; tested=$$($(TESTED)) || exit 1; \
	$(GO) test -timeout 20m -race $$(grep -v ' github.com/gomlx/' <<<"$$tested" | cut -d' ' -f1) || failed=1; \
	$(GO) test -timeout 20m $$(grep ' github.com/gomlx/' <<<"$$tested" | cut -d' ' -f1) || failed=1; \
	$(GO) test -timeout 20m $(RACEXLA) ./cmd/fcnx || failed=1; \
	python3 -m unittest discover -s bench -p '*_test.py' || failed=1; \
	exit $$failed

lint: vulns ## gofmt, go vet, staticcheck, gosec, govulncheck, and golangci-lint where it is installed
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt -w $$unformatted" >&2; exit 1; }
	$(GO) vet ./...
	CGO_CFLAGS='-g -O2 -Wno-deprecated-declarations' $(GO) vet -tags nvml ./monitor # the library uses all of NVIDIA's header
	$(GO) run $(STATICCHECK) ./...
	$(GO) run $(GOSEC) $(GOSEC_FLAGS) ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run; else echo "golangci-lint is not installed; left out"; fi

# Versions are pinned, so what is found depends on the day and not on the change; a
# machine that cannot reach the database (VULNDB) misses nothing that another would not
# see. Anything else that is not "none found" fails.
vulns: ## govulncheck, where its database can be reached
	@said=$$($(GO) run $(GOVULNCHECK) $(if $(VULNDB),-db $(VULNDB)) ./... 2>&1); code=$$?; \
	if [ $$code = 0 ]; then echo "govulncheck: $$(tail -n 1 <<<"$$said")"; \
	elif grep -q '^govulncheck: fetching vulnerabilities: ' <<<"$$said"; then \
	  echo "govulncheck was left out, its database cannot be reached: $$(grep -m1 '^govulncheck: ' <<<"$$said")"; \
	else echo "$$said" >&2; exit 1; fi

# Now and then go test takes the end of FUZZTIME for a failure (golang/go#75804, mended in 1.27); one that
# is found says which input it wrote, or that a worker ended.
fuzz: ## run every fuzz target for FUZZTIME (20s), each within 1 GiB of memory (memtest)
	@for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
	    echo "$$package $$target"; \
	    said=$$($(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$package 2>&1); code=$$?; \
	    tail -n 3 <<<"$$said"; \
	    [ $$code = 0 ] || { [ "$$(grep -A1 -e '^--- FAIL' <<<"$$said" | tail -n 1)" = '    context deadline exceeded' ]; } || { echo "$$said" >&2; exit 1; }; \
	  done; \
	done

bench: ## time fcnx against PyTorch, which goes to .venv, on an idle machine; docs/benchmarks.md gets the tables
	bench/run.sh

golden: plugin ## write golden files anew; look at git diff before you keep them
	bench/parity/run.sh golden
	$(GO) test $$(grep -rl --include='*_test.go' 'flag.Bool("update"' . | xargs -n1 dirname | sort -u) -update

parity: plugin ## write PyTorch's golden files anew, and hold bin/fcnx to PyTorch and ONNX Runtime, in every format
	bench/parity/run.sh golden
	$(GO) test ./models -run Parity
	$(GO) test ./train -run Parity -every
	bench/parity/run.sh live

torture: plugin ## attack bin/fcnx for 25 minutes: kills, full disks, damage; docs/reliability.md gets the table
	$(GO) run ./bench/torture -fcnx bin/fcnx -out docs/reliability.md

screens: train ## draw the pictures of the README anew
	docs/screens.sh
