"""`python -m annotation_platform.embedded run`: see the Makefile."""

from __future__ import annotations

import argparse
import os
import sys

from annotation_platform.embedded.failures import StartFailed
from annotation_platform.embedded.run import Options, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m annotation_platform.embedded")
    parser.add_argument("command", choices=["run"], help="start the whole platform here")
    parser.parse_args()
    try:
        options = Options.from_environment(dict(os.environ))
    except StartFailed as failure:
        print(f"FAILED: {failure.what}\n        {failure.do}")  # noqa: T201
        return 1
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
