# Thin dispatch: each target runs one task of tasks/; what a task does stands in its first lines.
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

tsx := node --import tsx/esm
packages := node_modules/.package-lock.json
app_tests := app-test-staging-le-staging app-test-staging-le-prod app-test-prod-le-staging app-test-prod-le-prod

##@ The cluster
.PHONY: install teardown reinstall verify
install: $(packages) ## install or update everything, then prove it (no KUBE_CONTEXT: the rehearsal cluster)
	@$(tsx) tasks/install.ts
teardown: $(packages) ## remove everything the platform created, then prove it (YES=1 KEEP_DATA=1)
	@$(tsx) tasks/teardown.ts
reinstall: $(packages) ## teardown, then install
	@$(MAKE) teardown && $(MAKE) install
verify: $(packages) ## prove that the cluster is what Git says; changes nothing (JSON=1)
	@$(tsx) tasks/verify.ts

##@ Day to day
.PHONY: flux-reconcile secrets-sync platform-certs-staging platform-certs-prod $(app_tests)
flux-reconcile: $(packages) ## bring the pushed commit into the cluster now, and follow it to proof
	@$(tsx) tasks/reconcile.ts
secrets-sync: $(packages) ## write the secrets of .env into the cluster
	@$(tsx) tasks/secrets-sync.ts
platform-certs-staging: $(packages) ## platform certificates from Let's Encrypt staging: edits one line
	@$(tsx) tasks/certs.ts staging
platform-certs-prod: $(packages) ## platform certificates from Let's Encrypt production: edits one line
	@$(tsx) tasks/certs.ts prod
$(app_tests): $(packages) ## app environment and its certificate issuer: edits one line
	@$(tsx) tasks/app-test.ts $(@:app-test-%=%)

##@ The rehearsal cluster
.PHONY: rehearsal-up rehearsal-down rehearsal-env
rehearsal-up: $(packages) ## start it (built on first use; REHEARSAL=name for another one)
	@$(tsx) tasks/rehearsal.ts up
rehearsal-down: $(packages) ## stop it and delete its state
	@$(tsx) tasks/rehearsal.ts down
rehearsal-env: $(packages) ## print its environment: eval "$$(make -s rehearsal-env)"
	@$(tsx) tasks/rehearsal.ts env

##@ Development
.PHONY: help test test-unit bench
test: $(packages) ## every test: unit, contract, and end to end on the rehearsal cluster
	@$(tsx) test/run.ts unit contract e2e
test-unit: $(packages) ## unit tests: no Go, no cluster, seconds
	@$(tsx) test/run.ts unit
bench: $(packages) ## measure the platform on a rehearsal cluster of its own (BENCH_RUNS=5 BENCH_ONLY=a,b)
	@$(tsx) test/bench/run.ts
help: ## show this help
	@awk 'BEGIN { FS = ":.*## "; print "make TARGET [DRY_RUN=1] [KUBE_CONTEXT=name]" } { gsub(/\$$\$$/, "$$") } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^\$$\(app_tests\):/ { n = split("$(app_tests)", names, " "); for (i = 1; i <= n; i++) printf "  %-28s %s\n", names[i], $$2; next } \
	  /^[a-z-]+:.*## / { printf "  %-28s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# npm writes this file when it is done, so an interrupted npm ci is run again
$(packages): package.json package-lock.json
	@command -v npm >/dev/null || { printf '✗ npm is not installed\n  fix    install Node.js 20 or newer (https://nodejs.org)\n' >&2; exit 2; }
	@npm ci --no-fund --no-audit --loglevel=error >&2
	@touch $@
