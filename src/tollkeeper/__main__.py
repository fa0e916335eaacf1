"""``python -m tollkeeper``: the command line, where its script is not on the path."""

from __future__ import annotations

from tollkeeper.cli import main

main()
