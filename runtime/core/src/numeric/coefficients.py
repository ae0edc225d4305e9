"""Makes coefficients.rs and reference.txt, both beside this file.

    pip install mpmath==1.3.0 && python3 coefficients.py && cargo fmt

Every polynomial is the weighted minimax one found by Remez' exchange in 60 digits, its coefficients then rounded (each
stands for a small correction to terms that are exact, so that costs little). The errors printed are those of the rounded
polynomials, relative to the function they serve, to be compared with the 2^-24 and 2^-53 of one rounding.
"""

import pathlib
import random
import struct

from mpmath import mp, mpf

mp.dps = 60
HERE = pathlib.Path(__file__).parent
BITS = {"F32": 24, "F64": 53}


def rounded(x, bits):
    """The nearest float with `bits` significant bits."""
    mantissa, exponent = mp.frexp(x)
    return mp.ldexp(mp.nint(mp.ldexp(mantissa, bits)), exponent - bits)


def remez(f, weight, low, high, degree):
    """Coefficients of the polynomial minimising max |weight·(f - p)| on [low, high]."""
    grid = [low + (high - low) * (1 - mp.cos(mp.pi * i / 400)) / 2 for i in range(401)]
    # A weight that vanishes somewhere cannot carry a node there: give it a floor.
    floor = max(weight(low), weight(high)) * mpf(10) ** -12
    values = [(x, f(x), max(weight(x), floor)) for x in grid]
    nodes = [values[round(400 * i / (degree + 1))] for i in range(degree + 2)]
    for _ in range(12):
        rows = [[x**k for k in range(degree + 1)] + [(-1) ** i / w] for i, (x, _, w) in enumerate(nodes)]
        solution = mp.lu_solve(mp.matrix(rows), mp.matrix([fx for _, fx, _ in nodes]))
        coefficients = list(solution)[:-1]
        errors = [w * (fx - mp.polyval(coefficients[::-1], x)) for x, fx, w in values]
        peaks = alternating_peaks(errors, degree + 2)
        if peaks is None:
            break
        nodes = [values[i] for i in peaks]
    return coefficients


def alternating_peaks(errors, count):
    """Positions of the largest error of each run of one sign, the `count` consecutive ones that matter most."""
    peaks = []
    for i, e in enumerate(errors):
        if peaks and (errors[peaks[-1]] > 0) == (e > 0):
            if abs(e) > abs(errors[peaks[-1]]):
                peaks[-1] = i
        else:
            peaks.append(i)
    while len(peaks) > count:
        peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
    return peaks if len(peaks) == count else None


def fit(name, f, weight, low, high, degree, bits):
    """Rounded minimax coefficients, lowest first."""
    low, high = mpf(low), mpf(high)
    coefficients = [rounded(c, bits) for c in remez(f, weight, low, high, degree)]
    error = max(
        abs(weight(x) * (f(x) - mp.polyval(coefficients[::-1], x)))
        for x in (low + (high - low) * (i + mpf(1) / 3) / 500 for i in range(500))
    )
    print(f"{name:12} degree {degree:2}  error 2^{float(mp.log(error, 2)):.1f}")
    return coefficients


def fit_log_erfc(split, end, degree, bits):
    """What `fit` does, the constant term apart and as a sum of two floats."""
    slope = lambda u: (mp.log(mp.erfc(split + u)) - constant) / u
    constant = mp.log(mp.erfc(split))
    weight = lambda u: mp.erfc(split + u) * u
    high = rounded(constant, bits)
    return high, rounded(constant - high, bits), fit("log_erfc", slope, weight, mpf(2) ** -60, end - split, degree, bits)


def series(term, z):
    """Sum of term(n)·z^n."""
    return mp.fsum(term(n) * z**n for n in range(60))


def tables(bits):
    """All constants of one precision."""
    wide = bits == 53
    turned = mpf("0.7")  # (π/4)² and what an inexact 2/π adds for the largest arguments
    split = mpf("0.875")  # where the error function goes over to its complement
    end = mpf("5.95") if wide else mpf("3.95")
    ln2_hi = rounded(mp.ln(2), 42 if wide else 15)
    half_pi = [rounded(mp.pi / 2, bits)]
    half_pi.append(rounded(mp.pi / 2 - half_pi[0], bits))
    half_pi.append(rounded(mp.pi / 2 - half_pi[0] - half_pi[1], bits))
    third = rounded(mpf(2) / 3, bits)
    expm1 = lambda r: series(lambda n: 1 / mp.factorial(n + 2), r)
    log = lambda z: series(lambda n: mpf(2) / (2 * n + 5), z)
    sin = lambda z: series(lambda n: (-1) ** (n + 1) / mp.factorial(2 * n + 3), z)
    cos = lambda z: series(lambda n: (-1) ** n / mp.factorial(2 * n + 4), z)
    erf = lambda z: 2 / mp.sqrt(mp.pi) * series(lambda n: (-1) ** n / (mp.factorial(n) * (2 * n + 1)), z) - 1
    erfc_high, erfc_low, erfc = fit_log_erfc(split, end, 19 if wide else 8, bits)
    scalars = {
        "LN2_HIGH": ln2_hi,
        "LN2_LOW": rounded(mp.ln(2) - ln2_hi, bits),
        "PER_LN2": rounded(1 / mp.ln(2), bits),
        "PER_HALF_PI": rounded(2 / mp.pi, bits),
        "TWO_THIRDS_HIGH": third,
        "TWO_THIRDS_LOW": rounded(mpf(2) / 3 - third, bits),
        "ERF_SPLIT": split,
        "LOG_ERFC_HIGH": erfc_high,
        "LOG_ERFC_LOW": erfc_low,
    }
    # Whole numbers of `bits` bits, as fractions: the first is worth 2/π in itself, each next 2^bits less.
    digits = 23 if wide else 9
    with mp.workprec(bits * digits + 60):
        whole = int(mp.floor(mp.ldexp(2 / mp.pi, bits * digits)))
    two_per_pi = [
        mp.ldexp(mpf(whole >> bits * (digits - 1 - k) & (1 << bits) - 1), -bits) for k in range(digits)
    ]
    arrays = {
        "half_pi": half_pi,
        "two_per_pi": two_per_pi,
        "expm1": fit("expm1", expm1, lambda r: abs(r), -0.348, 0.348, 10 if wide else 5, bits),
        "log": fit("log", log, lambda z: z * z / 2, 0, 0.0401, 7 if wide else 3, bits),
        "sin": fit("sin", sin, lambda z: z, 0, turned, 6 if wide else 3, bits),
        "cos": fit("cos", cos, lambda z: z * z, 0, turned, 6 if wide else 2, bits),
        "erf": fit("erf", erf, lambda z: mpf(1), 0, split**2, 13 if wide else 7, bits),
        "log_erfc": erfc,
    }
    return {k.lower(): v for k, v in scalars.items()}, arrays


def literal(x):
    return repr(float(x))


def rust():
    """The text of coefficients.rs."""
    out = [
        "//! The constants of the scalar functions, made by `coefficients.py`: edit that and run it again.",
        "//! Polynomials are lowest power first; what they stand for is said where they are used.",
        "#![allow(clippy::approx_constant, clippy::excessive_precision, clippy::unreadable_literal)]",
        "",
        "use super::ops::Precision;",
        "",
        "/// The constants of one precision, each exactly a float of it.",
        "pub struct Coefficients {",
    ]
    docs = {
        "ln2_high": "ln 2 to so few bits that its product with any exponent is exact.",
        "ln2_low": "What `ln2_high` lacks of ln 2.",
        "per_ln2": "1 / ln 2.",
        "per_half_pi": "2 / π.",
        "two_thirds_high": "2/3.",
        "two_thirds_low": "What `two_thirds_high` lacks of 2/3.",
        "half_pi": "π/2 as a sum of three floats.",
        "two_per_pi": "2/π as the sum of d_k 2^(-bits k), as far as the exponents reach; digits d_k of as many bits as a significand.",
        "expm1": "(e^r - 1 - r) / r² for |r| ≤ ln 2 / 2.",
        "log": "(2 atanh s - 2 s - 2/3 s³) / s⁵ in s², for the significands from 2/3 to 4/3.",
        "sin": "(sin r - r) / r³ in r² for r² ≤ 0.7.",
        "cos": "(cos r - 1 + r²/2) / r⁴ in r² for r² ≤ 0.7.",
        "erf_split": "Where the two forms of the error function meet.",
        "erf": "erf x / x - 1 in x² for |x| ≤ `erf_split`.",
        "log_erfc_high": "ln erfc at `erf_split`.",
        "log_erfc_low": "What `log_erfc_high` lacks of it.",
        "log_erfc": "(ln erfc x - ln erfc `erf_split`) / u in u = x - `erf_split`, until erf rounds to 1.",
    }
    made = {name: tables(bits) for name, bits in BITS.items()}
    scalars, arrays = made["F32"]
    for key in scalars:
        out += [f"    /// {docs[key]}", f"    pub {key}: f64,"]
    for key in arrays:
        kind = "[f64; 3]" if key == "half_pi" else "&'static [f64]"
        out += [f"    /// {docs[key]}", f"    pub {key}: {kind},"]
    out += ["}", ""]
    for name, (scalars, arrays) in made.items():
        out.append(f"const {name}: Coefficients = Coefficients {{")
        out += [f"    {k}: {literal(v)}," for k, v in scalars.items()]
        for key, values in arrays.items():
            out.append(f"    {key}: {'' if key == 'half_pi' else '&'}[")
            out += [f"        {literal(v)}," for v in values]
            out.append("    ],")
        out += ["};", ""]
    out += [
        "/// The constants of a precision.",
        "#[must_use]",
        "pub fn of(precision: Precision) -> &'static Coefficients {",
        "    match precision {",
        "        Precision::F32 => &F32,",
        "        Precision::F64 => &F64,",
        "    }",
        "}",
        "",
    ]
    return "\n".join(out)


FUNCTIONS = {
    "exp": (mp.exp, [(-745, 709), (-1, 1)]),
    "expm1": (mp.expm1, [(-40, 709), (-2, 2), (-1e-6, 1e-6)]),
    "log": (mp.log, [(1e-300, 1e300), (0.5, 2), (1e-320, 1e-308)]),
    "log1p": (mp.log1p, [(-0.999, 4), (-1e-5, 1e-5), (1, 1e18)]),
    "sin": (mp.sin, [(-4, 4), (-1e5, 1e5), (-5e14, 5e14)]),
    "cos": (mp.cos, [(-4, 4), (-1e5, 1e5), (-5e14, 5e14)]),
    "tanh": (mp.tanh, [(-20, 20), (-1, 1), (-1e-8, 1e-8)]),
    "erf": (mp.erf, [(-6, 6), (-1.2, 1.2), (0.9, 1.1)]),
}


def bits_of(x):
    return struct.pack(">d", x).hex()


def reference():
    """Lines of `function x y` (`function x y z` for pow): the bits of an argument and of the nearest two floats' sum."""
    source = random.Random(1)
    lines = ["# function, argument(s), value rounded to f64, what is left of the value; all f64 bits. By coefficients.py."]

    def line(name, arguments, value):
        high = float(value)
        lines.append(" ".join([name, *map(bits_of, arguments), bits_of(high), bits_of(float(value - mpf(high)))]))

    for name, (f, ranges) in FUNCTIONS.items():
        for low, high in ranges:
            for _ in range(60):
                if low > 0 and high / low > 1e4:
                    x = float(mp.exp(source.uniform(float(mp.log(low)), float(mp.log(high)))))
                else:
                    x = source.uniform(low, high)
                line(name, [x], f(mpf(x)))
    for _ in range(180):
        x = float(mp.exp(source.uniform(-30, 30)))
        y = source.uniform(-22, 22)
        line("pow", [x, y], mpf(x) ** mpf(y))
    for name in ["sin", "cos"]:
        # The float that is nearest to a multiple of π/2 (Muller et al., Handbook of Floating-Point Arithmetic, 11.2).
        worst = [6381956970095103.0 * 2.0**797, -6381956970095103.0 * 2.0**797, 1.7976931348623157e308]
        for x in worst + [source.choice([-1, 1]) * 2 ** source.uniform(-40, 1024) for _ in range(240)]:
            with mp.workdps(400):
                value = getattr(mp, name)(mpf(x))
            line(name, [x], value)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (HERE / "coefficients.rs").write_text(rust())
    (HERE / "reference.txt").write_text(reference())
