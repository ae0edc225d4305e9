"""Writes the inputs of ADBench's problems as arrays and what PyTorch computes of them in double precision.

    python tests/adbench/make.py FOLDER

FOLDER has ADBench's files `gmm_d2_K5.txt`, `gmm_d10_K10.txt` and `lstm_l2_c1024.txt`. The objectives are those that
ADBench documents: a Gaussian mixture with a Wishart prior, and its LSTM with diagonal weights, whose logarithm has a 2
added under it. Of the sequence the first `PLACES` are taken.
"""

import math
import pathlib
import sys

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
PLACES = 1024


def numbers(path):
    return [float(word) for word in path.read_text().split()]


def take(values, *shape):
    """The next numbers as an array, and the rest."""
    size = math.prod(shape)
    return np.array(values[:size]).reshape(shape), values[size:]


def save(name, **arrays):
    np.savez_compressed(HERE / f"{name}.npz", **arrays)


def write(name, objective, inputs, params):
    """Inputs, parameters, and the value with its gradients."""
    leaves = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in params.items()}
    value = objective(**{k: torch.tensor(v, dtype=torch.float64) for k, v in inputs.items()}, **leaves)
    value.backward()
    save(f"{name}.params", **params)
    save(f"{name}.expected", loss=value.detach().numpy(), **{f"grad.{k}": v.grad.numpy() for k, v in leaves.items()})


def gmm(x, alpha, mu, icf, gamma=1.0, m=0):
    n, d = x.shape
    k = alpha.shape[0]
    q, l = icf[:, :d], icf[:, d:]
    rows = [(i, j) for j in range(d) for i in range(j + 1, d)]
    factor = torch.diag_embed(torch.exp(q))
    lower = torch.zeros(k, d, d, dtype=torch.float64)
    for place, (i, j) in enumerate(rows):
        unit = torch.zeros(d, d, dtype=torch.float64)
        unit[i, j] = 1
        lower = lower + l[:, place, None, None] * unit
    y = torch.einsum("cij,ncj->nci", factor + lower, x[:, None, :] - mu)
    inner = alpha + q.sum(1) - 0.5 * (y**2).sum(2)
    likelihood = torch.logsumexp(inner, 1).sum() - n * torch.logsumexp(alpha, 0) - n * d * 0.5 * math.log(2 * math.pi)
    freedom = d + m + 1
    prior = 0.5 * gamma**2 * (torch.exp(q) ** 2).sum() + 0.5 * gamma**2 * (l**2).sum() - m * q.sum()
    half = torch.tensor(0.5 * freedom, dtype=torch.float64)
    constant = freedom * d * math.log(gamma / math.sqrt(2)) - torch.special.multigammaln(half, d)
    return likelihood + prior - k * constant


def lstm(sequence, state, main, extra):
    layers, (b,) = state.shape[0] // 2, state.shape[1:]
    held, total = list(state), 0.0
    for t in range(sequence.shape[0] - 1):
        x = sequence[t] * extra[0]
        for layer in range(layers):
            w, bias = main[2 * layer], main[2 * layer + 1]
            h, c = held[2 * layer], held[2 * layer + 1]
            gates = torch.cat((x, h, x, h)) * w + bias
            forget, new, out = torch.sigmoid(gates[: 3 * b]).split(b)
            c = c * forget + new * torch.tanh(gates[3 * b :])
            h = out * torch.tanh(c)
            held[2 * layer], held[2 * layer + 1] = h, c
            x = h
        y = x * extra[1] + extra[2]
        total = total + (sequence[t + 1] * (y - torch.log(2 + torch.exp(y).sum()))).sum()
    return -total / (b * (sequence.shape[0] - 1))


def make_gmm(folder, name, file):
    values = numbers(folder / file)
    (d, k, n), values = take(values, 3)
    d, k, n = int(d), int(k), int(n)
    alpha, values = take(values, k)
    mu, values = take(values, k, d)
    icf, values = take(values, k, d + d * (d - 1) // 2)
    x, values = take(values, n, d)
    assert values == [1.0, 0.0], "gamma and m"
    save(f"{name}.inputs", x=x)
    write(name, gmm, {"x": x}, {"alpha": alpha, "mu": mu, "icf": icf})


def make_lstm(folder, name, file):
    values = numbers(folder / file)
    (layers, places, b), values = take(values, 3)
    layers, places, b = int(layers), int(places), int(b)
    main, values = take(values, 2 * layers, 4 * b)
    extra, values = take(values, 3, b)
    state, values = take(values, 2 * layers, b)
    sequence, values = take(values, places, b)
    sequence = sequence[:PLACES]
    save(f"{name}.inputs", sequence=sequence[None], state=state[None])
    write(name, lstm, {"sequence": sequence, "state": state}, {"main": main, "extra": extra})


if __name__ == "__main__":
    source = pathlib.Path(sys.argv[1])
    make_gmm(source, "d2_k5", "gmm_d2_K5.txt")
    make_gmm(source, "d10_k10", "gmm_d10_K10.txt")
    make_lstm(source, "lstm", "lstm_l2_c1024.txt")
