"""Side-by-side timings of fastmlp and its peers: `python -m bench`, see README.md here."""

import sys

# -m puts the working directory first, where an unbuilt `fastmlp` folder hides the installed
# package; last it only serves to find `bench` itself.
if sys.argv[:1] == ["-m"] and sys.path:
    sys.path.append(sys.path.pop(0))
