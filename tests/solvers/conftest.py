"""One BLAS thread for the solvers' tests: their matrices are small, and a second one only waits."""

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="package")
def one_blas_thread():
    with threadpool_limits(1, user_api="blas"):
        yield
