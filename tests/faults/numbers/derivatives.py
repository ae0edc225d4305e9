"""Makes derivatives.csv, beside this file: first and second derivatives by JAX in double precision, of the functions of
derivatives.nn, at ordinary points, at zero, at ties and at infinity.

    pip install jax && python3 derivatives.py

Where nnc deliberately says something else, `OTHERWISE` has its value and the reason, worked out by hand.
"""

import pathlib

import jax
import jax.numpy as jnp
from jax.scipy.special import erf

jax.config.update("jax_enable_x64", True)
INF = float("inf")
NAN = float("nan")

ORDINARY = [-2.5, -0.7, 0.3, 1.3]
EDGES = [0.0, INF, -INF]
POSITIVE = [0.2, 0.7, 1.0, 7.5, 0.0, INF]
KINKED = [-1.0, 1.0]

ONE = {
    "negative": (lambda x: -x, ORDINARY + EDGES),
    "size_of": (jnp.abs, ORDINARY + EDGES),
    "root": (jnp.sqrt, POSITIVE),
    "exponential": (jnp.exp, ORDINARY + EDGES),
    "logarithm": (jnp.log, POSITIVE),
    "exponential_less_one": (jnp.expm1, ORDINARY + [1e-9] + EDGES),
    "logarithm_of_one_more": (jnp.log1p, [-0.7, 1e-9, 0.3, 2.5, 0.0, -1.0, INF]),
    "sine": (jnp.sin, ORDINARY + [1e6, 1e15, 1e300] + EDGES),
    "cosine": (jnp.cos, ORDINARY + [1e6, 1e15, 1e300] + EDGES),
    "tangent": (jnp.tan, ORDINARY + [1e15] + EDGES),
    "inverse_tangent": (jnp.arctan, ORDINARY + EDGES),
    "hyperbolic_sine": (jnp.sinh, ORDINARY + EDGES),
    "hyperbolic_cosine": (jnp.cosh, ORDINARY + EDGES),
    "hyperbolic_tangent": (jnp.tanh, ORDINARY + EDGES),
    "error_function": (erf, ORDINARY + EDGES),
    "constant_power_0": (lambda x: x**0, ORDINARY + EDGES),
    "constant_power_1": (lambda x: x**1, ORDINARY + EDGES),
    "constant_power_2": (lambda x: x**2, ORDINARY + EDGES),
    "constant_power_3": (lambda x: x**3, ORDINARY + EDGES),
    "constant_power_half": (lambda x: x**0.5, POSITIVE),
    "constant_power_less_2": (lambda x: x**-2, ORDINARY + EDGES),
    "reciprocal": (lambda x: 1 / x, ORDINARY + EDGES),
    "rectified": (jax.nn.relu, ORDINARY + EDGES),
    "leaky": (jax.nn.leaky_relu, ORDINARY + EDGES),
    "logistic": (jax.nn.sigmoid, ORDINARY + [-40.0, 40.0] + EDGES),
    "soft_rectified": (jax.nn.softplus, ORDINARY + [-40.0, 40.0] + EDGES),
    "log_logistic": (jax.nn.log_sigmoid, ORDINARY + [-40.0, 40.0] + EDGES),
    "exponential_linear": (jax.nn.elu, ORDINARY + EDGES),
    "gaussian_linear": (lambda x: jax.nn.gelu(x, approximate=False), ORDINARY + EDGES),
    "sigmoid_linear": (jax.nn.silu, ORDINARY + EDGES),
    "soft_sign": (jax.nn.soft_sign, ORDINARY + EDGES),
    "cut_off": (jax.nn.hard_tanh, ORDINARY + KINKED + EDGES),
    "root_of_rectified": (lambda x: jnp.sqrt(jax.nn.relu(x)), ORDINARY + EDGES),
}

PAIRS = [(0.7, 1.3), (-0.7, 2.5), (1.0, 1.0)]
TWO = {
    "power": (
        jnp.power,
        [(0.7, 1.3), (2.0, 3.0), (-2.0, 3.0), (1.0, 1.0), (0.0, 0.0), (0.0, 1.0), (0.0, 2.0), (0.0, 3.5), (2.0, 0.0)]
        + [(-2.0, 0.0), (0.0, 0.5), (0.0, -1.0), (INF, 2.0), (INF, -1.0), (INF, 0.0), (0.5, INF), (2.0, -INF)],
    ),
    "product": (jnp.multiply, PAIRS + [(0.0, 0.0), (0.0, 2.0), (INF, 2.0)]),
    "quotient": (jnp.divide, PAIRS + [(0.0, 2.0), (3.0, INF), (INF, 2.0)]),
    "larger": (jnp.maximum, PAIRS + [(0.0, 0.0), (INF, INF), (-INF, 1.0)]),
    "smaller": (jnp.minimum, PAIRS + [(0.0, 0.0), (INF, INF), (-INF, 1.0)]),
    "length": (lambda x, y: jnp.sqrt(x**2 + y**2), PAIRS + [(0.0, 2.0)]),
    "times_root": (lambda x, y: x * jnp.sqrt(y), PAIRS + [(0.0, 2.0), (0.0, 0.5)]),
    "times_logarithm": (lambda x, y: x * jnp.log(y), PAIRS + [(0.0, 2.0), (0.0, 0.5)]),
    "over_square": (lambda x, y: x / y**2, PAIRS + [(0.0, 2.0), (0.0, -0.5)]),
    "log_of_sum": (jnp.logaddexp, PAIRS + [(0.0, 0.0), (800.0, -3.0)]),
}

# (function, point, by): (what nnc says, why).
OTHERWISE = {
    ("size_of", (0.0,), "x"): (0.0, "abs'(0) is 0, the middle of -1 and 1"),
    ("soft_sign", (0.0,), "x x"): (0.0, "with abs'(0) = 0, the middle of 2 and -2"),
    ("leaky", (0.0,), "x"): (0.01, "the slope of what holds at 0, as in PyTorch"),
    ("cut_off", (-1.0,), "x"): (0.0, "a tie with a constant passes nothing, as relu'(0) = 0"),
    ("cut_off", (1.0,), "x"): (0.0, "a tie with a constant passes nothing, as relu'(0) = 0"),
    ("inverse_tangent", (INF,), "x x"): (0.0, "the limit"),
    ("inverse_tangent", (-INF,), "x x"): (0.0, "the limit"),
    ("power", (0.0, 0.0), "x"): (0.0, "x^0 is 1 for every x"),
    ("power", (0.0, 0.0), "x x"): (0.0, "x^0 is 1 for every x"),
    ("power", (0.0, 0.0), "x y"): (INF, "x^(y-1) (1 + y log x) with y = 0"),
    ("power", (0.0, 0.0), "y x"): (0.0, "0^0 is given no slope by y"),
    ("power", (0.0, 1.0), "x x"): (0.0, "x^1 is x"),
    ("power", (0.0, 1.0), "y x"): (-INF, "the limit of 1 + log x"),
    ("power", (-2.0, 0.0), "x y"): (-0.5, "x^(y-1) (1 + y log x) with y = 0"),
    ("power", (-2.0, 0.0), "y x"): (-0.5, "x^(y-1) (1 + y log x) with y = 0"),
    ("power", (0.0, 0.5), "y x"): (-INF, "the limit of x^(y-1) (1 + y log x)"),
    ("power", (0.0, -1.0), "y"): (-INF, "the limit of x^y log x"),
    ("power", (0.0, -1.0), "x y"): (INF, "the limit of x^(y-1) (1 + y log x)"),
    ("power", (0.0, -1.0), "y x"): (INF, "the limit of x^(y-1) (1 + y log x)"),
    ("power", (0.0, -1.0), "y y"): (INF, "the limit of x^y (log x)^2"),
    ("power", (INF, 0.0), "x y"): (0.0, "the limit of 1 / x"),
    ("power", (INF, 0.0), "y x"): (0.0, "the limit of 1 / x"),
}
for by in ["y", "x y", "y x", "y y"]:
    OTHERWISE["power", (INF, -1.0), by] = (0.0, "the limit")
for by in ["x", "x x", "x y", "y x"]:
    OTHERWISE["power", (0.5, INF), by] = (0.0, "x^y is 0 around this x")
    OTHERWISE["power", (2.0, -INF), by] = (0.0, "x^y is 0 around this x")
for name in ["larger", "smaller"]:
    for tie in [(0.0, 0.0), (1.0, 1.0), (INF, INF)]:
        OTHERWISE[name, tie, "x"] = (0.0, "a tie goes to the second alone, so that relu'(0) = 0")
        OTHERWISE[name, tie, "y"] = (1.0, "a tie goes to the second alone, so that relu'(0) = 0")
# Not deliberate, but told: the library's formula has an infinite exponential times zero there.
for x in [INF, -INF]:
    for by in ["x", "x x"]:
        OTHERWISE["hyperbolic_sine", (x,), by] = (NAN, "the formula of the library, infinity times zero at infinity")
# Infinity over infinity in reverse mode, infinite as it should be in forward mode.
LEFT_OUT = {("power", (INF, 2.0), "y x")}


def number(x):
    return {INF: "inf", -INF: "-inf"}.get(float(x), repr(float(x)) if x == x else "nan")


def rows():
    for name, (f, points) in ONE.items():
        for x in points:
            yield name, (x,), "x", jax.grad(f)(x)
            yield name, (x,), "x x", jax.grad(jax.grad(f))(x)
    for name, (f, points) in TWO.items():
        for point in points:
            for k, by in enumerate("xy"):
                yield name, point, by, jax.grad(f, k)(*point)
            for k, l, by in [(0, 0, "x x"), (0, 1, "x y"), (1, 0, "y x"), (1, 1, "y y")]:
                yield name, point, by, jax.grad(jax.grad(f, k), l)(*point)


def main():
    lines = ["# function;point;by;JAX;nnc, where it deliberately differs;why"]
    unused = set(OTHERWISE)
    for name, point, by, value in rows():
        if (name, point, by) in LEFT_OUT:
            continue
        ours, why = OTHERWISE.get((name, point, by), (None, ""))
        unused.discard((name, point, by))
        cells = [name, " ".join(map(number, point)), by, number(value), "" if ours is None else number(ours), why]
        lines.append(";".join(cells))
    assert not unused, unused
    pathlib.Path(__file__).with_suffix(".csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
