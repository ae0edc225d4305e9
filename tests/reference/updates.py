"""Optimisers and schedules on small problems without data, in float64.

Where PyTorch or Optax has the same definition its own optimiser is run; the others are written out from their formulas.
"""
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from optax import contrib

jax.config.update("jax_enable_x64", True)

START = {"p": [1.5, -0.5, 0.8, -1.2], "w": [[0.5, -0.25, 0.75], [-1.0, 0.4, 0.1]]}
STEPS = 50


def objective(p, w):
    """The valley of Rosenbrock, less steep, and a product with `w` that couples the tensors."""
    valley = (0.5 * (p[1:] - p[:-1] ** 2) ** 2 + (1 - p[:-1]) ** 2).sum()
    return valley + (torch.tanh(w @ p[:3]) ** 2).sum() + 0.1 * (w ** 2).sum()


def tensors():
    return [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in START.values()]


def gradients(at):
    at = [t.detach().requires_grad_() for t in at]
    return torch.autograd.grad(objective(*at), at)


def by_torch(make):
    theta = tensors()
    opt = make(theta)
    for _ in range(STEPS):
        opt.zero_grad()
        objective(*theta).backward()
        opt.step()
    return theta


def cost(params):
    """The objective for JAX."""
    p, w = params
    valley = jnp.sum(0.5 * (p[1:] - p[:-1] ** 2) ** 2 + (1 - p[:-1]) ** 2)
    return valley + jnp.sum(jnp.tanh(w @ p[:3]) ** 2) + 0.1 * jnp.sum(w ** 2)


def by_optax(opt, end=lambda state, params: params):
    """An optimiser of Optax; `end` says which parameters are evaluated."""
    params = [jnp.array(v) for v in START.values()]
    state = opt.init(params)
    for _ in range(STEPS):
        updates, state = opt.update(jax.grad(cost)(params), state, params)
        params = optax.apply_updates(params, updates)
    return [torch.tensor(np.asarray(t)) for t in end(state, params)]


def lookahead():
    """Optax keeps slow and fast parameters side by side."""
    opt = optax.lookahead(optax.sgd(0.01), 5, 0.5)
    params = optax.LookaheadParams.init_synced([jnp.array(v) for v in START.values()])
    state = opt.init(params)
    for _ in range(STEPS):
        updates, state = opt.update(jax.grad(cost)(params.fast), state, params)
        params = optax.apply_updates(params, updates)
    return [torch.tensor(np.asarray(t)) for t in params.slow]


def averaged(opt, mean):
    """Plain points by a PyTorch optimiser; `mean(step, mean, point)` is what is evaluated."""
    theta = tensors()
    means = [t.detach().clone() for t in theta]
    opt = opt(theta)
    for step in range(1, STEPS + 1):
        opt.zero_grad()
        objective(*theta).backward()
        opt.step()
        means = [mean(step, m, t.detach()) for m, t in zip(means, theta)]
    return means


def muon(step, theta, grad, s):
    """Jordan's formula; PyTorch's computes in bfloat16, Optax's corrects the momentum for its start."""
    if grad.ndim != 2:
        s["m"] = 0.9 * s.get("m", 0) + 0.1 * grad
        s["q"] = 0.999 * s.get("q", 0) + 0.001 * grad ** 2
        return theta - 0.05 * s["m"] / (1 - 0.9 ** step) / ((s["q"] / (1 - 0.999 ** step)).sqrt() + 1e-8)
    s["v"] = 0.95 * s.get("v", 0) + grad
    y = grad + 0.95 * s["v"]
    y = y / (y.norm() + 1e-7)
    for _ in range(5):
        g = y @ y.T
        y = 3.4445 * y + (-4.775 * g + 2.0315 * g @ g) @ y
    return theta - 0.02 * max(1, grad.shape[0] / grad.shape[1]) ** 0.5 * y


def adafactor(step, theta, grad, s):
    """Shazeer and Stern's formula, as Optax has it but for the decay, which it computes in float32."""
    keep = 1 - step ** -0.8
    g2 = grad ** 2 + 1e-30
    if grad.ndim == 2:
        s["r"] = keep * s.get("r", 0) + (1 - keep) * g2.mean(1)
        s["c"] = keep * s.get("c", 0) + (1 - keep) * g2.mean(0)
        v = torch.outer(s["r"] / s["r"].mean(), s["c"])
    else:
        v = s["v"] = keep * s.get("v", 0) + (1 - keep) * g2
    u = grad / v.sqrt()
    rms = lambda x: float((x ** 2).mean().sqrt())
    return theta - 0.05 * max(rms(theta), 1e-3) * u / max(1, rms(u))


def sam():
    """Each tensor is moved along its own gradient; Optax's measures all of them together."""
    theta = [t.detach() for t in tensors()]
    for _ in range(STEPS):
        up = [t + 0.05 * g / g.norm() for t, g in zip(theta, gradients(theta))]
        theta = [t - 0.01 * g for t, g in zip(theta, gradients(up))]
    return theta


def by_formula(rule):
    """`rule(step, theta, grad, state)` returns the next value of one tensor; `state` is its own dictionary."""
    theta = [t.detach() for t in tensors()]
    states = [{} for _ in theta]
    for step in range(1, STEPS + 1):
        at = [t + s["shift"] if "shift" in s else t for t, s in zip(theta, states)]
        theta = [rule(step, t, g, s) for t, g, s in zip(theta, gradients(at), states)]
    return theta


def momentum(step, theta, grad, s):
    s["v"] = 0.9 * s.get("v", 0) + 0.1 * grad
    return theta - 0.05 * s["v"]


def nesterov(step, theta, grad, s):
    s["v"] = 0.9 * s.get("v", torch.zeros_like(theta)) - 0.1 * grad
    s["shift"] = 0.9 * s["v"]
    return theta + 0.02 * s["v"]


def lars(step, theta, grad, s):
    g = grad + 1e-4 * theta
    s["v"] = 0.9 * s.get("v", 0) + 1e-2 * theta.norm() / g.norm() * g
    return theta - 0.5 * s["v"]


def lamb(step, theta, grad, s):
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * grad
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * grad ** 2
    r = s["m"] / (1 - 0.9 ** step) / ((s["v"] / (1 - 0.999 ** step)).sqrt() + 1e-6) + 0.01 * theta
    return theta - 0.02 * theta.norm() / r.norm() * r


def clipped(step, theta, grad, s):
    """Plain descent, each tensor's gradient shortened to length one."""
    return theta - 0.02 * grad * min(1.0, 1.0 / float(grad.norm()))


def globally_clipped():
    theta = [t.detach() for t in tensors()]
    for _ in range(STEPS):
        g = gradients(theta)
        n = math.sqrt(sum(float((x ** 2).sum()) for x in g))
        theta = [t - 0.02 * (1 / n if n > 1 else 1) * x for t, x in zip(theta, g)]
    return theta


def optimizers():
    """Name of the train block -> final tensors."""
    o = torch.optim
    ends = {
        "by_sgd": by_torch(lambda t: o.SGD(t, 0.01)),
        "by_momentum": by_formula(momentum),
        "by_heavy_ball": by_torch(lambda t: o.SGD(t, 0.005, momentum=0.9, weight_decay=0.01)),
        "by_nesterov": by_formula(nesterov),
        "by_adagrad": by_torch(lambda t: o.Adagrad(t, 0.1)),
        "by_rmsprop": by_torch(lambda t: o.RMSprop(t, 0.01)),
        "by_adam": by_torch(lambda t: o.Adam(t, 0.05)),
        "by_adam_l2": by_torch(lambda t: o.Adam(t, 0.05, weight_decay=0.1)),
        "by_adamw": by_torch(lambda t: o.AdamW(t, 0.05, weight_decay=0.1)),
        "by_lars": by_formula(lars),
        "by_lamb": by_formula(lamb),
        "by_amsgrad": by_optax(optax.amsgrad(0.05)),
        "by_nadam": by_optax(optax.nadam(0.05)),
        "by_adamax": by_optax(optax.adamax(0.05)),
        "by_radam": by_optax(optax.radam(0.05, b2=0.99)),
        "by_adabelief": by_optax(optax.adabelief(0.05)),
        "by_adadelta": by_torch(lambda t: o.Adadelta(t, 1.0)),
        "by_lion": by_optax(optax.lion(0.01, weight_decay=0.1)),
        "by_adafactor": by_formula(adafactor),
        "by_muon": by_formula(muon),
        "by_averaged_sgd": averaged(lambda t: o.SGD(t, 0.01), lambda n, m, t: m + (t - m) / n),
        "by_averaged_adam": averaged(lambda t: o.Adam(t, 0.05), lambda n, m, t: 0.9 * m + 0.1 * t),
        "by_schedule_free_sgd": by_optax(contrib.schedule_free_sgd(0.05), contrib.schedule_free_eval_params),
        "by_schedule_free_adamw": by_optax(
            contrib.schedule_free_adamw(0.05, weight_decay=0.1), contrib.schedule_free_eval_params
        ),
        "by_lookahead_sgd": lookahead(),
        "by_sam": sam(),
        "by_clip_norm": by_formula(clipped),
        "by_global_norm": globally_clipped(),
    }
    return {name: dict(zip(START, (t.detach().numpy() for t in end))) for name, end in ends.items()}


def rates(start, make):
    """The rates that a PyTorch schedule yields."""
    opt = torch.optim.SGD([torch.zeros(1)], start)
    schedule = make(opt)
    found = []
    for _ in range(STEPS):
        found.append(opt.param_groups[0]["lr"])
        opt.step()
        schedule.step()
    return found


def schedules():
    """Name of the train block -> the rates of its updates."""
    s = torch.optim.lr_scheduler
    k = np.arange(STEPS)
    return {
        "at_constant_rate": np.full(STEPS, 0.3),
        "at_linear_decay": rates(0.5, lambda o: s.LinearLR(o, 1.0, 0.1, 30)),
        "at_inverse_decay": 0.5 / (1 + 0.25 * k),
        "at_step_decay": rates(0.5, lambda o: s.StepLR(o, 8, 0.5)),
        "at_exponential": rates(0.5, lambda o: s.ExponentialLR(o, 0.9)),
        "at_cosine": rates(0.5, lambda o: s.CosineAnnealingLR(o, STEPS, 0.01)),
        "at_cosine_restarts": rates(0.5, lambda o: s.CosineAnnealingWarmRestarts(o, 12, eta_min=0.01)),
        "at_triangular": rates(0.1, lambda o: s.CyclicLR(o, 0.1, 0.7, 6, cycle_momentum=False)),
        "at_warm_up": 0.3 * np.minimum(1, (k + 1) / 10),
        "at_one_cycle": rates(1.0, lambda o: s.OneCycleLR(o, 0.8, total_steps=STEPS, cycle_momentum=False)),
    }
