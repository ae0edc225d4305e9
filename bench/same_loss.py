"""Shows that a benchmark's step computes what PyTorch's computes: the loss at step 100 from the same start.

  python same_loss.py [--nnc NNC] [--only mlp-tiny,lenet]

Both train on one fixed batch of workloads.py, from nnc's initial parameters, for 100 steps. The program is the one in
examples/bench with two changes: its data is that batch, and dropout keeps everything (the two sides draw other masks).
Both compute in f64: in f32 a hundred steps on one batch, which drive the loss to nearly nothing, amplify rounding to some per cent
of what is left (lenet: 1.7 %).
"""
import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import workloads

HERE = pathlib.Path(__file__).resolve().parent
STEPS, BOUND = 100, 1e-6


def network(w):
    """The workload's network, its modules named as in the program."""
    layers = collections.OrderedDict()
    if w.kind == "lenet":
        layers.update(conv1=nn.Conv2d(1, 6, 5, padding=2), r1=nn.ReLU(), p1=nn.MaxPool2d(2))
        layers.update(conv2=nn.Conv2d(6, 16, 5), r2=nn.ReLU(), p2=nn.MaxPool2d(2), flat=nn.Flatten())
        layers.update(fc1=nn.Linear(400, 120), r3=nn.ReLU(), fc2=nn.Linear(120, 84), r4=nn.ReLU(), fc3=nn.Linear(84, 10))
        return nn.Sequential(layers)
    sizes = w.cfg["sizes"]
    for k, (n, m) in enumerate(zip(sizes, sizes[1:]), 1):
        layers[f"fc{k}"] = nn.Linear(n, m)
        if k < len(sizes) - 1:
            if w.kind == "mlp_bn":
                layers[f"bn{k}"] = nn.BatchNorm1d(m)
            layers[f"act{k}"] = nn.Tanh() if w.cfg.get("act") == "tanh" else nn.ReLU()
    return nn.Sequential(layers)


def optimizer(w, parameters):
    if w.optim == "sgd":
        return torch.optim.SGD(parameters, lr=w.lr, momentum=w.momentum, weight_decay=w.wd)
    return torch.optim.Adam(parameters, lr=w.lr, weight_decay=w.wd)


def peer(w, x, y, start):
    """PyTorch's loss at the last step."""
    net = network(w).double()
    net.load_state_dict({k: torch.from_numpy(v) for k, v in start.items()}, strict=False)
    rule = optimizer(w, net.parameters())
    x, y = torch.from_numpy(x).double(), torch.from_numpy(y)
    y = y.double() if w.loss == "bce" else y
    for _ in range(STEPS):
        z = net(x)
        loss = F.binary_cross_entropy_with_logits(z[:, 0], y) if w.loss == "bce" else F.cross_entropy(z, y)
        rule.zero_grad()
        loss.backward()
        if w.clip:
            nn.utils.clip_grad_norm_(net.parameters(), w.clip)
        rule.step()
    return loss.item()


def ours(nnc, w, x, y, folder):
    """nnc's initial parameters and its loss at the last step."""
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y.astype(np.float32) if w.loss == "bce" else y.astype(np.int32))
    text = (HERE.parent / f"examples/bench/{w.name}.nn").read_text()
    shape, label = (re.search(rf"^    {f}: (.*?) = ", text, re.M).group(1) for f in ("x", "y"))
    data = f'data noise {{\n    train = npy("x.npy", "y.npy")\n    x: {shape} = x |> reshape\n'
    data += f"    y: {label} = y" + (" |> reshape" if w.loss == "bce" else "") + "\n}"
    text = re.sub(r"data noise \{.*?\n\}", lambda _: data, text, flags=re.S).replace("dropout(0.5)", "dropout(0)")
    program = folder / "program.nn"
    program.write_text(text)
    field = y[:, None].astype(np.float32) if w.loss == "bce" else y
    np.savez(folder / "batch.npz", x=x, y=field)
    subprocess.run([nnc, "grad", program, "--precision", "f64", "--inputs", folder / "batch.npz", "-o", folder / "start.npz"], check=True)
    run = [nnc, "run", program, "--precision", "f64", "--json", "--epochs", str(STEPS), "--out", folder / "run"]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    lines = [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]
    loss = next(line["train"]["loss"] for line in lines if line["event"] == "interval" and line["step"] == STEPS)
    arrays = np.load(folder / "start.npz")
    return {k.removeprefix("param."): arrays[k] for k in arrays.files if k.startswith("param.")}, loss


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--nnc", default=HERE.parent / "target/release/nnc", type=pathlib.Path)
    ap.add_argument("--only", default="mlp-tiny,mlp-small,mlp-mid,mlp-big,lenet")
    args = ap.parse_args()
    print("| workload | nnc | PyTorch | relative difference |\n|---|---|---|---|")
    apart = []
    for name in args.only.split(","):
        w = workloads.get(name)
        x, y = workloads.make_batch(w)
        with tempfile.TemporaryDirectory() as folder:
            start, loss = ours(args.nnc.resolve(), w, x, y, pathlib.Path(folder))
        theirs = peer(w, x, y, start)
        difference = abs(loss - theirs) / abs(theirs)
        print(f"| {name} | {loss:.7g} | {theirs:.7g} | {difference:.1e} |", flush=True)
        if not difference < BOUND:
            apart.append(name)
    sys.exit(f"further apart than {BOUND}: {', '.join(apart)}" if apart else 0)


if __name__ == "__main__":
    main()
