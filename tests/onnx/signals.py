"""Fourier transforms, written as the sums they are, and windows."""

from case import NO_RULE, Unsaid, at, define, letters, number, rule


@rule("DFT")
def fourier(case):
    shape, rank = case.shape(0), len(case.shape(0))
    axis = int(case.value(2)) if case.has(2) else case.attribute("axis", 1 if case.version < 20 else -2)
    axis %= rank
    inverse, onesided = case.attribute("inverse", 0), case.attribute("onesided", 0)
    length = int(case.value(1)) if case.has(1) else (2 * (shape[axis] - 1) if inverse and onesided else shape[axis])
    if length < shape[axis]:
        raise Unsaid(NO_RULE)
    indices = letters(rank - 1) + ["part"]
    k = indices[axis]
    x = lambda part: at(case.name(0), ["r" if n == axis else str(part) if n == rank - 1 else i for n, i in enumerate(indices)])
    angle = f"{'-' if inverse else ''}2 * pi * (({k} * r) mod {length}) / {length}"
    real = f"{x(0)} * cos({angle})"
    imaginary = f"-{x(0)} * sin({angle})"
    if shape[-1] == 2:
        real, imaginary = f"{real} + {x(1)} * sin({angle})", f"{imaginary} + {x(1)} * cos({angle})"
    over = f"sum[r: {shape[axis]}]"
    if inverse and onesided:
        # The other half is the mirror image: all but the first and the middle count twice.
        twice = f"(if r == 0 || 2 * r == {length} then 1 else 2)"
        return [[define(f"(sum[r: {shape[axis]}] {twice} * ({real})) / {length}", indices)]]
    scale = f" / {length}" if inverse else ""
    return [[define(f"if part == 0 then ({over} ({real})){scale} else ({over} ({imaginary})){scale}", indices)]]


@rule("STFT")
def short_time_fourier(case):
    step = int(case.value(1))
    length = int(case.value(3)) if case.has(3) else case.shape(2)[0]
    window = f" * {case.name(2)}[r]" if case.has(2) else ""
    x = f"{case.name(0)}[i, {step} * j + r, 0]{window}"
    angle = f"2 * pi * ((k * r) mod {length}) / {length}"
    value = f"if part == 0 then (sum[r: {length}] {x} * cos({angle})) else (sum[r: {length}] -{x} * sin({angle}))"
    return [[define(value, ["i", "j", "k", "part"])]]


WINDOWS = {
    "HannWindow": "0.5 - 0.5 * cos({t})",
    "HammingWindow": "25 / 46 - 21 / 46 * cos({t})",
    "BlackmanWindow": "0.42 - 0.5 * cos({t}) + 0.08 * cos(2 * {t})",
}


@rule(*WINDOWS)
def window(case):
    n = int(case.value(0))
    n = n if case.attribute("periodic", 1) else n - 1
    return [[define(WINDOWS[case.operator].format(t=f"(2 * pi * i / {n})"), ["i"])]]
