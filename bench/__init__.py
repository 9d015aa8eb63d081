"""Side-by-side timings: `python bench/run.py` or `python -m bench`."""
