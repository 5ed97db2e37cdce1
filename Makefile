# winnow: everything a developer runs. Go and make are enough for build, test and demo.
export GOTOOLCHAIN := local

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)
FUZZTIME ?= 20s

.PHONY: build
build: ## build ./bin/winnow
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/winnow ./cmd/winnow

.PHONY: test
test: ## run all tests
	go test ./...

.PHONY: test-long
test-long: ## run all tests with their long rounds: minutes instead of seconds
	WINNOW_LONG=1 go test -timeout 60m ./...

.PHONY: race
race: ## run the tests with the race detector (needs a C compiler)
	go test -race -short ./...

.PHONY: race-short
race-short: ## the same for the rooms in which goroutines share something
	@if command -v gcc >/dev/null || command -v clang >/dev/null; then go test -race -short . ./internal/csvrows ./validate/dnsmx; else echo "race-short: SKIPPED: no C compiler"; fi

.PHONY: check
check: ## formatting, vet, tidy modules, staticcheck when it can be had
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go mod tidy -diff
	@mkdir -p bin
	@test -x bin/staticcheck || GOBIN=$(CURDIR)/bin go install honnef.co/go/tools/cmd/staticcheck@v0.8.2 2>/dev/null || echo "staticcheck skipped: it could not be installed"
	@test ! -x bin/staticcheck || bin/staticcheck ./...

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME: a time (default 20s), or a number of executions such as 10000x
	@for p in $$(go list ./...); do for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
		echo "== $$p $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p || exit 1; done; done

.PHONY: demo
demo: build ## clean the demo list with the demo bounces and the recorded DNS, without a network
	@rm -rf out
	bin/winnow clean testdata/lists/demo.csv --bounces testdata/bounces/demo.csv --dns-replay testdata/dns/demo.tape -o out/

# Compare ratios and figures per CPU-second of one run, never seconds of two machines.
BENCH_ROWS ?= 10000000
BENCH_DIR ?= /tmp/winnow-bench

.PHONY: bench
bench: build ## measure: Go benchmarks of every room, then the cleaning of BENCH_ROWS rows beside cp
	go test -run '^$$' -bench . -benchmem . ./validate ./internal/csvrows ./bounceimport/... ./validate/dnsmx ./export/esp
	go run ./cmd/winnow-bench -rows $(BENCH_ROWS) -dir $(BENCH_DIR) -winnow bin/winnow

.PHONY: bench-dns
bench-dns: ## measure asking the DNS: unbound, nsd and dnsperf on loopback (says what to install)
	cmd/winnow-benchdns/bench.sh

# What attacks winnow, in short forms: killed and told that the disk is full at one
# system call after the other, also where two folders cannot be exchanged; resolvers
# that lie, filter, flap and lose; hostile names, bombs, damaged histories and caches,
# canary addresses and keys; every gate failing; every fuzz target for 10,000 executions.
ATTACKS := Attack|Lying|Flapping|ManyHosts|Denied|Distrust|Bomb|Nested|Hostile|Canary|Damage|Corruption|OneBadFile|Gate|Signals|Pipe|MayReplace|Whole|WithoutExchange|Records|Mask|Links|Redirect|Endless|Unconfirmed|Conservation|Deterministic|ProviderCounts|Scripts
.PHONY: attack
attack: build ## attack winnow in short forms: five minutes (long: make kill, make test-long, make fuzz)
	testdata/kill.sh --short bin/winnow
	go test -count=1 -run '$(ATTACKS)' ./...
	$(MAKE) --no-print-directory fuzz FUZZTIME=10000x

.PHONY: kill
kill: build ## kill a run at every system call that touches the output, and at random (needs strace)
	testdata/kill.sh bin/winnow

.PHONY: lists
lists: ## regenerate the embedded lists of facts from their sources (needs npm)
	go run ./cmd/winnow-genlists

.PHONY: page-check
page-check: ## validate report.html and check its accessibility (needs npm and chromium)
	export/report/testdata/page-check.sh export/report/testdata/page.golden.html bin/page-check

.PHONY: golden
golden: ## rewrite the golden files from what the program prints now; read the diff before you commit it
	UPDATE_GOLDEN=1 go test ./...

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14
