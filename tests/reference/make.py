"""Makes the reference files of this folder, see README.md.

    python -m venv venv && venv/bin/pip install jax numpy torch
    venv/bin/python make.py

Deterministic: the same versions of the packages write the same bytes.
"""
import os
import pathlib

os.environ["JAX_PLATFORMS"] = "cpu"

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np

import modules
import networks
import torch
import updates

HERE = pathlib.Path(__file__).parent


def save(name, tensors):
    np.savez(HERE / f"{name}.npz", **tensors)


def single(tensors):
    """Numbers as float32, which either precision then reads alike; whole numbers as they are."""
    return {k: np.asarray(v, np.float32) if np.asarray(v).dtype.kind == "f" else v for k, v in tensors.items()}


def draw_parameters(rng, shapes):
    """Weights of variance 1 / fan_in, vectors near one or zero so that none is a special case."""
    made = {}
    for name, shape in shapes.items():
        size = (np.prod(shape[1:]) if len(shape) > 1 else 25) ** -0.5
        centre = 1.0 if len(shape) == 1 and name.endswith("weight") else 0.0
        made[name] = centre + size * rng.standard_normal(shape)
    return made


def loss_and_gradients(objective, params, batch, dtype):
    cast = lambda v: np.asarray(v, dtype) if np.asarray(v).dtype.kind == "f" else v
    loss, grads = jax.value_and_grad(objective)({k: cast(v) for k, v in params.items()},
                                                {k: cast(v) for k, v in batch.items()})
    return {"loss": np.asarray(loss)} | {"grad." + k: np.asarray(v) for k, v in grads.items()}


def distance(a, b):
    """Largest distance of a tensor of `a` from that of `b`, relative to the length of that tensor, or of the longest one
    where it is nothing but rounding (the gradient of a bias before a batch normalisation is zero)."""
    longest = max(np.linalg.norm(t) for t in b.values())
    length = {k: np.linalg.norm(t) for k, t in b.items()}
    return max(float(np.linalg.norm(a[k] - b[k]) / (length[k] if length[k] > 1e-9 * longest else longest)) for k in b)


def make_files(name, shapes, draw, loss_and_gradients, precisions):
    rng = np.random.default_rng(sum(map(ord, name)))
    params, batch = single(draw_parameters(rng, shapes)), single(draw(rng))
    exact, rough = (loss_and_gradients(params, batch, precision) for precision in precisions)
    print(f"{name:10} loss {float(exact['loss']):.6f}, float32 off by at most {distance(rough, exact):.1e}")
    save(f"{name}.inputs", batch)
    save(f"{name}.params", params)
    save(f"{name}.expected", exact)


def make_network(name):
    objective, shapes, draw = networks.NETWORKS[name]
    make_files(name, shapes, draw, lambda *given: loss_and_gradients(objective, *given), (np.float64, np.float32))


def make_module(name):
    made, draw = modules.MODULES[name]
    module = made()
    make_files(name, modules.shapes(module), draw, lambda *given: modules.loss_and_gradients(module, *given),
               (torch.float64, torch.float32))


def make_updates():
    save("optimizers.expected", {f"{name}.{k}": v for name, end in updates.optimizers().items() for k, v in end.items()})
    found = updates.schedules()
    weight = 1 - 0.9 ** np.arange(1, updates.STEPS + 1)
    save("schedules.expected", {name + ".p": 1 - np.dot(rates, weight) for name, rates in found.items()}
         | {name + ".rates": np.asarray(rates) for name, rates in found.items()})


if __name__ == "__main__":
    for network in networks.NETWORKS:
        make_network(network)
    for module in modules.MODULES:
        make_module(module)
    make_updates()
