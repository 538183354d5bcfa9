"""``python -m mdtheory``."""

import sys

from mdtheory.cli import main

if __name__ == "__main__":
    sys.exit(main())
