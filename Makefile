# One verb a line; `make` alone prints them.
SHELL := /bin/bash
GO ?= go
PY ?= python3
BIN := bin/fcnx
PLUGINS := $(BIN) plugins install cpu
FUZZTIME ?= 20s
XLA_TESTS := ./models/... ./train ./predict/... ./cmd/...
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@2026.1

.PHONY: help build plugin train test lint fuzz bench golden

help: ## print this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | column -t -s "$$(printf '\t')"
