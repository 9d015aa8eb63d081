"""`python -m bench` from the root of the repository; the same as `python bench/run.py`."""

import sys
from pathlib import Path

# -m puts the working directory first, where an unbuilt `fastmlp` folder hides the installed package
sys.path[0] = str(Path(__file__).parent)

from run import main  # noqa: E402

sys.exit(main())
