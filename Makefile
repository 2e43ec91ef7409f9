# One verb a line; `make` alone prints them.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
GO ?= go
FUZZTIME ?= 20s
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The packages that have tests, each with all that its tests are built from.
TESTED := $(GO) list -test -f '{{.ImportPath}} {{join .Deps " "}}' ./... | sed -n 's/^\([^ ]*\)\.test /\1 /p'

.PHONY: help build plugin train test lint fuzz bench golden parity screens torture

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

test: plugin ## run every test: with the race detector, and on XLA (which it cannot watch)
	@failed=0; tested=$$($(TESTED)) || exit 1; \
	$(GO) test -timeout 20m -race $$(grep -v ' github.com/gomlx/' <<<"$$tested" | cut -d' ' -f1) || failed=1; \
	$(GO) test -timeout 20m $$(grep ' github.com/gomlx/' <<<"$$tested" | cut -d' ' -f1) || failed=1; \
	exit $$failed

lint: ## gofmt, go vet, staticcheck, and golangci-lint where it is installed
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt -w $$unformatted" >&2; exit 1; }
	$(GO) vet ./...
	CGO_CFLAGS='-g -O2 -Wno-deprecated-declarations' $(GO) vet -tags nvml ./monitor # the library uses all of NVIDIA's header
	$(GO) run $(STATICCHECK) ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run; else echo "golangci-lint is not installed; left out"; fi

fuzz: ## run every fuzz target for FUZZTIME (20s)
	@for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
	    echo "$$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$package || exit 1; \
	  done; \
	done

bench: ## time fcnx against PyTorch, which goes to .venv; the machine should be idle
	bench/run.sh

golden: plugin ## write golden files anew; look at git diff before you keep them
	bench/parity/run.sh golden
	$(GO) test $$(grep -rl --include='*_test.go' 'flag.Bool("update"' . | xargs -n1 dirname | sort -u) -update

parity: plugin ## write PyTorch's golden files anew, and hold bin/fcnx to PyTorch and ONNX Runtime, in every format
	bench/parity/run.sh golden
	$(GO) test ./models -run Parity
	$(GO) test ./train -run Parity -every
	bench/parity/run.sh live

torture: plugin ## attack bin/fcnx for twenty minutes: kills, full disks, damage; docs/reliability.md gets the table
	$(GO) run ./bench/torture -fcnx bin/fcnx -out docs/reliability.md

screens: train ## draw the pictures of the README anew
	docs/screens.sh
