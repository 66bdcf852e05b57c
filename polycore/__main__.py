"""``python -m polycore``: the command line."""

import sys

from polycore.cli import main

if __name__ == "__main__":
    sys.exit(main())
