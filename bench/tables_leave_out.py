"""What each ingredient is worth: `python -m bench.tables --leave-out`."""
