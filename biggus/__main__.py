"""``python -m biggus``: the command line."""

import sys

from biggus.cli import main

sys.exit(main())
