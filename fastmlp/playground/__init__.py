"""A page in the browser on which one watches a network learn, with every solver of fastmlp.

``fastmlp playground`` on the command line; in a notebook:

>>> import fastmlp.playground
>>> fastmlp.playground.show(height=600)  # doctest: +SKIP

Needs ``pip install "fastmlp[playground]"``; :func:`points`, which makes its data, does not.
"""

from __future__ import annotations

from typing import Any

from fastmlp.playground._session import points

__all__ = ["points", "serve", "show"]


def serve(port: int = 0, browser: bool = True) -> None:
    """Open the playground in the browser, and serve it until Ctrl-C.

    Parameters
    ----------
    port : int, default=0
        Of this machine's loopback address; 0: one that is free.
    browser : bool, default=True
        Whether to open a browser; the address is printed in any case.

    Raises
    ------
    ImportError
        The extra is not installed.
    OSError
        The port is taken.
    """
    from fastmlp.playground._server import serve

    serve(port, browser)


def show(height: int = 600) -> Any:
    """The playground in an output cell of a notebook.

    Parameters
    ----------
    height : int, default=600
        In pixels.

    Returns
    -------
    IPython.display.IFrame
        The page; its server ends with the process.

    Raises
    ------
    ImportError
        The extra or IPython is not installed.
    """
    from fastmlp.playground._server import show

    return show(height)
