"""Weights for a network that was not trained: `weights_of.py MODEL.onnx OUT.npz` takes those in the file and moves each number a little, the same way every time."""
import sys

import numpy as np
import onnx
from onnx import numpy_helper

model, out = sys.argv[1:]
random = np.random.default_rng(1)
weights = {}
for tensor in onnx.load(model).graph.initializer:
    value = numpy_helper.to_array(tensor)
    if value.dtype == np.float32:
        # Variances stay positive.
        weights[tensor.name] = value + 0.05 * np.abs(random.standard_normal(value.shape)).astype(np.float32)
np.savez(out, **weights)
