"""`python -m edgewise.cli` does what `edgewise` does."""

from edgewise.cli.main import run

run()
