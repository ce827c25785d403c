"""The two networks, loaded when first needed (README.md here: source, licence, sha256)."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime

_loading = threading.Lock()


def session(name: str) -> onnxruntime.InferenceSession:
    """The network in `name`.onnx; one per process, safe to run from several threads."""
    with _loading:
        return _load(name)


@cache
def _load(name: str) -> onnxruntime.InferenceSession:
    # A fifth of a second, which `--help` or a web page need not pay.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # One thread per picture: the service runs as many pictures as there are cores.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # it would keep a plan for every shape ever seen
    options.log_severity_level = 3
    path = Path(__file__).with_name(f"{name}.onnx")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
