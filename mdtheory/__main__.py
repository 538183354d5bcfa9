"""``python -m mdtheory``."""

import sys

from mdtheory.command.main import main

if __name__ == "__main__":
    sys.exit(main())
