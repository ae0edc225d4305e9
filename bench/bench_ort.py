"""onnxruntime side of the batch-1 inference benchmark (w3, w5, w6).

  mkdir onnx; python bench_torch.py w5 --export onnx/w5.onnx      (once)
  python bench_ort.py w5 --threads 1
"""
import argparse
import os

import harness
import workloads

ap = argparse.ArgumentParser()
ap.add_argument("workload")
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--secs", type=float, default=3.0)
args = ap.parse_args()

import onnxruntime as ort

W = workloads.get(args.workload)
opt = ort.SessionOptions()
opt.intra_op_num_threads = args.threads
opt.inter_op_num_threads = 1
here = os.path.dirname(os.path.abspath(__file__))
sess = ort.InferenceSession(os.path.join(here, "onnx", W.key + ".onnx"), opt, ["CPUExecutionProvider"])
feed = {sess.get_inputs()[0].name: workloads.make_batch(W, 1)[0]}


def step():
    sess.run(None, feed)


harness.report("ort", ort.__version__, W.key + "-infer", "ort", args.threads, harness.measure(step, args.secs))
