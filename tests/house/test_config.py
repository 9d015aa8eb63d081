"""`show_config` and `get_config`."""

import threadpoolctl

import fastmlp
from fastmlp._core import kernels
from fastmlp.config import get_config


def test_get_config():
    config = get_config()
    assert config["isa"] in config["available_isas"]
    assert config["isa"] == kernels.isa()
    assert 1 <= config["cpus_allowed"] <= config["cpus"]
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        assert get_config()["threads"] == 1 <= config["threads"] <= config["cpus_allowed"]
    assert config["blas"] and all(library["num_threads"] >= 1 for library in config["blas"])
    assert {"python", "numpy", "scipy", "scikit-learn", "fastmlp"} <= set(config["versions"])


def test_show_config(capsys):
    config = get_config()
    fastmlp.show_config()
    lines = capsys.readouterr().out.splitlines()
    assert len({line.index(line[17:].lstrip()) for line in lines}) == 1  # aligned
    text = "\n".join(lines)
    for fact in (config["isa"], *config["available_isas"], config["versions"]["numpy"]):
        assert fact in text
    assert f"at most {config['threads']} in a fit" in text
    assert "BLAS" in text and "instruction set" in text
