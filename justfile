# A bare `just` lists the recipes.
default:
    @just --list --unsorted

# Everything development needs, into .venv.
setup:
    uv sync --group dev

# Format and lint, in place.
fmt:
    uv run --no-sync ruff format .
    uv run --no-sync ruff check --fix .

# Format, lint, rooms, dependencies, types: what needs no test run.
check:
    uv run --no-sync ruff format --check .
    uv run --no-sync ruff check .
    uv run --no-sync lint-imports
    uv run --no-sync deptry src
    uv run --no-sync basedpyright src

# The tests, on all cores; `just test tests/unit/expr -k jq` runs some.
test *args:
    uv run --no-sync pytest -n auto {{ args }}

# The tests without those that take more than a few seconds.
quick:
    uv run --no-sync pytest -n auto -m "not slow"

# Every budget, next to its floor.
bench:
    uv run --no-sync python bench/run.py

# The reference pages, from the code.
docs:
    uv run --no-sync python scripts/make_docs.py

# The wheel and the source archive, into dist/.
build:
    uv build

# What continuous integration runs.
ci:
    bash .ci/run
