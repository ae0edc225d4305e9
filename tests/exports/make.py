"""Makes `convnet.expected.npz` from the weights that `nnc run` saved: what the same network says in PyTorch, into which
they are loaded by name (strictly), and in JAX, into which they are loaded by name and shape.

    nnc run convnet.nn --out run
    python make.py run/weights.safetensors

Needs torch, jax and numpy. Also run as `make.py WEIGHTS --check`, which compares instead of writing.
"""
import json
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn

HERE = pathlib.Path(__file__).parent


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8, track_running_stats=True)
        self.conv2, self.bn2 = nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 2)
        return self.fc(torch.relu(self.bn2(self.conv2(x))).flatten(1))


def in_torch(weights, x):
    net = Net()
    # PyTorch counts minibatches in its batch normalisation; the count has no say in what comes out.
    counts = {k: v for k, v in net.state_dict().items() if k.endswith("num_batches_tracked")}
    net.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()} | counts, strict=True)
    with torch.no_grad():
        return net.eval()(torch.from_numpy(x)).numpy()


SHAPES = {"conv1.weight": (8, 1, 3, 3), "conv2.weight": (16, 8, 3, 3), "fc.weight": (10, 64), "fc.bias": (10,)}
for layer, channels in (("1", 8), ("2", 16)):
    SHAPES |= {f"conv{layer}.bias": (channels,)}
    SHAPES |= {f"bn{layer}.{name}": (channels,) for name in ("weight", "bias", "running_mean", "running_var")}


def in_jax(weights, x):
    assert {k: v.shape for k, v in weights.items()} == SHAPES
    p = {k: jnp.asarray(v) for k, v in weights.items()}

    def conv(x, name, stride):
        y = jax.lax.conv_general_dilated(x, p[name + ".weight"], (stride, stride), ((1, 1), (1, 1)))
        return y + p[name + ".bias"][:, None, None]

    def norm(x, name):
        column = lambda key: p[f"{name}.{key}"][:, None, None]
        return column("weight") * (x - column("running_mean")) / jnp.sqrt(column("running_var") + 1e-5) + column("bias")

    x = jax.nn.relu(norm(conv(x, "conv1", 1), "bn1"))
    x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    x = jax.nn.relu(norm(conv(x, "conv2", 2), "bn2"))
    return np.asarray(x.reshape(len(x), -1) @ p["fc.weight"].T + p["fc.bias"])


def load(path):
    """The tensors of a safetensors file: eight bytes of length, a head in JSON, then the elements."""
    content = pathlib.Path(path).read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    head = json.loads(content[8:start])
    part = lambda t: np.frombuffer(content[start + t["data_offsets"][0]:start + t["data_offsets"][1]], "<f4")
    return {name: part(t).reshape(t["shape"]).copy() for name, t in head.items() if name != "__metadata__"}


weights = load(sys.argv[1])
x = np.random.default_rng(0).integers(0, 17, (20, 1, 8, 8)).astype(np.float32) / 16
made = {"x": x, "torch": in_torch(weights, x), "jax": in_jax(weights, x)}
if "--check" in sys.argv:
    expected = np.load(HERE / "convnet.expected.npz")
    for name in ("torch", "jax"):
        np.testing.assert_allclose(made[name], expected[name], rtol=1e-4, atol=1e-4)
else:
    np.savez(HERE / "convnet.expected.npz", **made)
