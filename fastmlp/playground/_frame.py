"""What goes over the socket: a header in JSON, then arrays as bytes."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np


def encode(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """``uint32 length | JSON | padding to 8 | arrays, each padded to 8``.

    The header's entry ``arrays`` says of each its name, type ("f4" or "u1"), shape and place,
    counted from the end of the padded JSON.
    """
    rows, blobs, at = [], [], 0
    for name, array in arrays.items():
        kind = "u1" if array.dtype == np.uint8 else "f4"
        blob = np.ascontiguousarray(array, dtype=kind).tobytes()
        rows.append({"name": name, "type": kind, "shape": array.shape, "at": at})
        blobs.append(blob + bytes(-len(blob) % 8))
        at += len(blobs[-1])
    text = json.dumps({**header, "arrays": rows}, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 4) % 8)
    return struct.pack("<I", len(text)) + text + b"".join(blobs)


def shades(values: np.ndarray) -> np.ndarray:
    """Numbers from -1 to 1 as bytes from 0 to 254; NaN is 255."""
    scaled = np.round((np.clip(values, -1, 1) + 1) * 127)
    return np.where(np.isfinite(values), scaled, 255).astype(np.uint8)
