"""Checks ONNX files and runs them: `run_onnx.py MODEL INPUTS.npz OUTPUTS.npz`. Needs onnx, onnxruntime, numpy."""
import sys

import numpy as np
import onnx
import onnxruntime

model, inputs, outputs = sys.argv[1:]
onnx.checker.check_model(model, full_check=True)
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
given = np.load(inputs)
kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}
feed = {i.name: given[i.name].astype(kinds[i.type]) for i in session.get_inputs()}
named = [o.name for o in session.get_outputs()]
np.savez(outputs, **dict(zip(named, session.run(named, feed))))
