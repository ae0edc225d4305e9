"""The reference networks in JAX, written out from the formulas, for one precision at a time.

Each entry of NETWORKS: the parameters' shapes under their saved names, a function that draws a batch, and the objective
`(params, batch) -> scalar` of training mode.
"""
import jax
import jax.numpy as jnp
from jax import lax


def dense(p, name, x):
    return x @ p[name + ".weight"].T + p[name + ".bias"]


def batch_norm(p, name, x, eps=1e-5):
    mu = x.mean(0)
    var = ((x - mu) ** 2).mean(0)
    return p[name + ".weight"] * (x - mu) / jnp.sqrt(var + eps) + p[name + ".bias"]


def layer_norm(p, name, x, eps=1e-5):
    mu = x.mean(-1, keepdims=True)
    var = ((x - mu) ** 2).mean(-1, keepdims=True)
    return p[name + ".weight"] * (x - mu) / jnp.sqrt(var + eps) + p[name + ".bias"]


def conv(p, name, x, stride=1, pad=0):
    """Over as many window dimensions as the weight has."""
    w, b = p[name + ".weight"], p[name + ".bias"]
    n = w.ndim - 2
    y = lax.conv_general_dilated(x, w, (stride,) * n, [(pad, pad)] * n, precision="highest")
    return y + b.reshape((-1,) + (1,) * n)


def windows(x, size, stride):
    """The windows of the last two dimensions: [batch, c, i, j, size, size]."""
    rows = (x.shape[2] - size) // stride + 1
    cols = (x.shape[3] - size) // stride + 1
    i = stride * jnp.arange(rows)[:, None] + jnp.arange(size)
    j = stride * jnp.arange(cols)[:, None] + jnp.arange(size)
    return x[:, :, i[:, None, :, None], j[None, :, None, :]]


def max_pool(x, size, stride=None):
    return windows(x, size, stride or size).max((-2, -1))


def avg_pool(x, size, stride=None):
    return windows(x, size, stride or size).mean((-2, -1))


def flatten(x):
    return x.reshape(x.shape[0], -1)


def cross_entropy(z, y):
    return (jax.nn.logsumexp(z, axis=1) - z[jnp.arange(len(y)), y]).mean()


def l2(p):
    return sum((w ** 2).sum() for w in p.values() if w.ndim >= 2)


def l1(p):
    return sum(jnp.abs(w).sum() for w in p.values() if w.ndim >= 2)


def mlp(p, d):
    h = jax.nn.relu(batch_norm(p, "bn1", dense(p, "fc1", d["x"])))
    h = jnp.tanh(batch_norm(p, "bn2", dense(p, "fc2", h * d["mask1"] / 0.7)))
    return cross_entropy(dense(p, "fc3", h * d["mask2"] / 0.7), d["y"]) + 1e-3 * l2(p)


def lenet(p, d):
    h = max_pool(jax.nn.relu(conv(p, "conv1", d["x"], pad=2)), 2)
    h = flatten(max_pool(jax.nn.relu(conv(p, "conv2", h)), 2))
    h = jax.nn.relu(dense(p, "fc2", jax.nn.relu(dense(p, "fc1", h))))
    return cross_entropy(dense(p, "fc3", h), d["y"]) + 5e-4 * l2(p)


def digits(p, d):
    h = jax.nn.relu(conv(p, "conv1", d["x"], pad=1))
    h = flatten(max_pool(jax.nn.relu(conv(p, "conv2", h, pad=1)), 2))
    return cross_entropy(dense(p, "fc2", jax.nn.relu(dense(p, "fc1", h))), d["y"]) + 1e-4 * l2(p)


def strided(p, d):
    a = jax.nn.gelu(conv(p, "conv1", d["x"], stride=2, pad=1), approximate=False)
    b = a[:, :, :, None] * jnp.tanh(a[:, :, None, :])
    pooled = max_pool(jax.nn.elu(conv(p, "conv2", b, stride=2, pad=2)), 3, 2)
    q = jax.nn.silu(avg_pool(pooled, 2, 1))
    m = layer_norm(p, "norm", jax.nn.softplus(pooled.mean((2, 3))))
    r = jax.nn.gelu(dense(p, "fc1", flatten(q)), approximate=True)
    s = r + jax.nn.leaky_relu(m, 0.01) + jax.nn.sigmoid(r) * jax.nn.softmax(m)
    z = dense(p, "fc2", s)
    return (jax.nn.softplus(z) - d["t"] * z).mean() + 1e-2 * l1(p)


def layer(name, *weight):
    return {name + ".weight": weight, name + ".bias": weight[:1]}


def normals(rng, **shapes):
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def bernoulli(rng, p, shape):
    return (rng.random(shape) < p).astype(float)


NETWORKS = {
    "mlp": (mlp,
            layer("fc1", 32, 20) | layer("bn1", 32) | layer("fc2", 24, 32) | layer("bn2", 24) | layer("fc3", 5, 24),
            lambda r: normals(r, x=(16, 20)) | dict(y=r.integers(0, 5, 16), mask1=bernoulli(r, 0.7, (16, 32)),
                                                    mask2=bernoulli(r, 0.7, (16, 24)))),
    "lenet": (lenet,
              layer("conv1", 6, 1, 5, 5) | layer("conv2", 16, 6, 5, 5) | layer("fc1", 120, 400)
              | layer("fc2", 84, 120) | layer("fc3", 10, 84),
              lambda r: normals(r, x=(4, 1, 28, 28)) | dict(y=r.integers(0, 10, 4))),
    "digits": (digits,
               layer("conv1", 16, 1, 3, 3) | layer("conv2", 32, 16, 3, 3) | layer("fc1", 64, 512) | layer("fc2", 10, 64),
               lambda r: normals(r, x=(4, 1, 8, 8)) | dict(y=r.integers(0, 10, 4))),
    "strided": (strided,
                layer("conv1", 9, 2, 5) | layer("conv2", 4, 9, 3, 3) | layer("norm", 4) | layer("fc1", 4, 16)
                | layer("fc2", 3, 4),
                lambda r: normals(r, x=(6, 2, 23)) | dict(t=bernoulli(r, 0.5, (6, 3)))),
}
