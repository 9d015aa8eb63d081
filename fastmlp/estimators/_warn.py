"""Warnings that point at the user's line, however deep they arise."""

from __future__ import annotations

import sys
import warnings

_OURS = ("fastmlp", "sklearn.callback")


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn of what the caller of this package does."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_OURS):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
