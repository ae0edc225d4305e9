"""Operators that compute each element from the elements at the same place."""

import numpy as np
from case import BITS, NARROW, RANDOM, Unsaid, define, elementwise, letters, number, rule

UNARY = {
    "Abs": "abs({0})",
    "Acos": "acos({0})",
    "Acosh": "acosh({0})",
    "Asin": "asin({0})",
    "Asinh": "asinh({0})",
    "Atan": "atan({0})",
    "Atanh": "atanh({0})",
    "Ceil": "ceil({0})",
    "Cos": "cos({0})",
    "Cosh": "cosh({0})",
    "Erf": "erf({0})",
    "Exp": "exp({0})",
    "Floor": "floor({0})",
    "Identity": "{0}",
    "IsNaN": "!({0} == {0})",
    "Log": "log({0})",
    "Mish": "{0} * tanh(softplus({0}))",
    "Neg": "-{0}",
    "Not": "!{0}",
    "Reciprocal": "1 / {0}",
    "Relu": "relu({0})",
    "Round": "round({0})",
    "Sigmoid": "sigmoid({0})",
    "Sign": "if {0} > 0 then 1 else if {0} < 0 then -1 else 0",
    "Sin": "sin({0})",
    "Sinh": "sinh({0})",
    "Softplus": "softplus({0})",
    "Softsign": "{0} / (1 + abs({0}))",
    "Sqrt": "sqrt({0})",
    "Tan": "tan({0})",
    "Tanh": "tanh({0})",
}

BINARY = {
    "Add": "{0} + {1}",
    "And": "{0} && {1}",
    "Equal": "{0} == {1}",
    "Greater": "{0} > {1}",
    "GreaterOrEqual": "{0} >= {1}",
    "Less": "{0} < {1}",
    "LessOrEqual": "{0} <= {1}",
    "Mul": "{0} * {1}",
    "Or": "{0} || {1}",
    "PRelu": "if {0} > 0 then {0} else {1} * {0}",
    "Pow": "{0}^{1}",
    "Sub": "{0} - {1}",
    "Xor": "{0} != {1}",
}

# Attributes by name with their defaults; `{0}` is the input.
WITH_ATTRIBUTES = {
    "Binarizer": ("if {0} > {threshold} then 1 else 0", {"threshold": 0.0}),
    "Celu": ("max({0}, 0) + min(0, {alpha} * expm1({0} / {alpha}))", {"alpha": 1.0}),
    "Elu": ("elu({0}, alpha = {alpha})", {"alpha": 1.0}),
    "HardSigmoid": ("max(0, min(1, {alpha} * {0} + {beta}))", {"alpha": 0.2, "beta": 0.5}),
    "HardSwish": ("{0} * max(0, min(1, {0} / 6 + 0.5))", {}),
    "LeakyRelu": ("leaky_relu({0}, slope = {alpha})", {"alpha": 0.01}),
    "Selu": (
        "{gamma} * elu({0}, alpha = {alpha})",
        {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
    ),
    "Shrink": ("if {0} < -{lambd} then {0} + {bias} else if {0} > {lambd} then {0} - {bias} else 0", {"bias": 0.0, "lambd": 0.5}),
    "Swish": ("{0} * sigmoid({alpha} * {0})", {"alpha": 1.0}),
    "ThresholdedRelu": ("if {0} > {alpha} then {0} else 0", {"alpha": 1.0}),
}


@rule(*UNARY)
def unary(case):
    return elementwise(case, UNARY[case.operator], [0])


@rule(*BINARY)
def binary(case):
    return elementwise(case, BINARY[case.operator], [0, 1])


@rule(*WITH_ATTRIBUTES)
def with_attributes(case):
    template, defaults = WITH_ATTRIBUTES[case.operator]
    values = {name: number(case.attribute(name, value)) for name, value in defaults.items()}
    return elementwise(case, template.format("{0}", **values), [0])


@rule("Gelu")
def gelu(case):
    return elementwise(case, "gelu_tanh({0})" if case.attribute("approximate") == "tanh" else "gelu({0})", [0])


@rule("SwiGLU")
def swiglu(case):
    return elementwise(case, f"{{0}} * sigmoid({number(case.attribute('alpha', 1.0))} * {{0}}) * {{1}}", [0, 1])


@rule("IsInf")
def is_inf(case):
    signs = {(1, 1): "abs({0}) == inf", (0, 1): "{0} == inf", (1, 0): "{0} == -inf"}
    return elementwise(case, signs[case.attribute("detect_negative", 1), case.attribute("detect_positive", 1)], [0])


@rule("Div")
def division(case):
    if whole(case.value(0)):
        # Whole numbers are divided towards zero.
        return elementwise(case, "if {0} / {1} < 0 then ceil({0} / {1}) else floor({0} / {1})", [0, 1])
    return elementwise(case, "{0} / {1}", [0, 1])


@rule("Mod")
def remainder(case):
    if case.attribute("fmod", 0):
        # The remainder has the sign of what is divided.
        return elementwise(case, "{0} - {1} * (if {0} / {1} < 0 then ceil({0} / {1}) else floor({0} / {1}))", [0, 1])
    rest = "{0} - {1} * floor({0} / {1})"
    if not whole(case.value(0)):
        # Of an infinite divisor the remainder is the number itself, or the divisor where the signs differ.
        infinite = "if {0} * {1} < 0 then {1} else {0}"
        rest = f"if abs({{1}}) == inf && abs({{0}}) < inf then ({infinite}) else {rest}"
    return elementwise(case, rest, [0, 1])


@rule("Max", "Min", "Sum", "Mean")
def several(case):
    count = len(case.inputs)
    element = "{0}"
    for k in range(1, count):
        joined = {"Max": "max(%s, {%d})", "Min": "min(%s, {%d})"}.get(case.operator, "%s + {%d}")
        element = joined % (element, k)
    if case.operator == "Mean":
        element = f"({element}) / {count}"
    return elementwise(case, element, range(count))


@rule("Clip")
def clip(case):
    element = "{0}"
    if case.has(1):
        element = f"max({element}, {case.read(1, [])})"
    if case.has(2):
        element = f"min({element}, {case.read(2, [])})"
    return elementwise(case, element, [0])


@rule("Where")
def where(case):
    return elementwise(case, "if {0} then {1} else {2}", [0, 1, 2])


def whole(value):
    return np.issubdtype(value.dtype, np.integer)


@rule("Cast", "CastLike")
def cast(case):
    """To numbers, whole numbers (towards zero) and truth values; the narrow types round in ways of their own."""
    source, target = case.value(0), case.outputs[0][1]
    plain = (np.float32, np.float64, np.int32, np.int64, bool)
    if source.dtype not in plain or target.dtype not in plain or "float16" in case.kind:
        raise Unsaid(NARROW)
    if target.dtype == bool:
        return elementwise(case, "!({0} == 0)", [0])
    if whole(target) and not whole(source) and source.dtype != bool:
        return elementwise(case, "if {0} < 0 then ceil({0}) else floor({0})", [0])
    return elementwise(case, "if {0} then 1 else 0" if source.dtype == bool else "{0}", [0])


@rule("BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "BitCast")
def bits(case):
    raise Unsaid(BITS)


@rule("QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul")
def quantized(case):
    raise Unsaid(NARROW)


@rule("DequantizeLinear")
def dequantize(case):
    """(x - zero) * scale; scale and zero for the whole tensor, for each position of an axis, or for blocks of it."""
    value = case.value(0)
    if value.dtype not in (np.int8, np.uint8, np.int16, np.uint16, np.int32):
        raise Unsaid(NARROW)
    indices = letters(value.ndim)
    axis, block = case.attribute("axis", 1) % max(value.ndim, 1), case.attribute("block_size", 0)

    def of(k):
        extents = case.shape(k)
        if not extents:
            return case.name(k)
        if len(extents) == 1 and value.ndim != 1:
            return f"{case.name(k)}[{indices[axis]}]"
        where = [f"floor({i} / {block})" if block and n == axis else i for n, i in enumerate(indices)]
        return f"{case.name(k)}[{', '.join(where)}]"

    zero = f" - {of(2)}" if case.has(2) else ""
    return [[define(f"({case.read(0, indices)}{zero}) * {of(1)}", indices)]]


@rule("Bernoulli")
def drawn(case):
    raise Unsaid(RANDOM)


@rule("Dropout")
def dropout(case):
    """Without training, the input and a mask of ones."""
    if case.has(2) and case.value(2) and not (case.has(1) and case.value(1) == 0):
        raise Unsaid(RANDOM)
    indices = letters(len(case.shape(0)))
    x = case.read(0, indices)
    bodies = [[define(x, indices)]]
    if len(case.outputs) > 1:
        bodies.append([define("if true then 1 else 0", indices)])
    return bodies
