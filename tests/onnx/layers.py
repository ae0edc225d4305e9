"""Products of matrices, sums over named indices, and normalisations."""

from case import ALGEBRA, NO_RULE, Unsaid, at, define, letters, number, ranges, rule


@rule("MatMul", "MatMulInteger")
def matmul(case):
    """The last two dimensions as matrices, the others element by element; a vector is a row or a column."""
    a, b = case.shape(0), case.shape(1)
    indices = letters(len(case.result()))
    outer = indices[: max(len(a), len(b)) - 2] if max(len(a), len(b)) > 2 else []
    left = ([indices[len(outer)]] if len(a) > 1 else []) + ["r"]
    right = ["r"] + ([indices[-1]] if len(b) > 1 else [])
    def operand(k, extents, own):
        batch = [i if n > 1 else "0" for i, n in zip(outer[len(outer) - (len(extents) - 2) :], extents[:-2])] if len(extents) > 2 else []
        element = at(case.name(k), batch + own)
        if case.operator == "MatMulInteger" and case.has(2 + k):
            zero = at(case.name(2 + k), ["0"] if case.shape(2 + k) else [])
            return f"({element} - {zero})"
        return element
    return [[define(f"sum[r: {a[-1]}] {operand(0, a, left)} * {operand(1, b, right)}", indices)]]


@rule("Gemm")
def gemm(case):
    a = at(case.name(0), ["r", "i"] if case.attribute("transA", 0) else ["i", "r"])
    b = at(case.name(1), ["j", "r"] if case.attribute("transB", 0) else ["r", "j"])
    n = case.shape(0)[0 if case.attribute("transA", 0) else 1]
    alpha, beta = case.attribute("alpha", 1.0), case.attribute("beta", 1.0)
    total = f"(sum[r: {n}] {a} * {b})"
    total = total if alpha == 1 else f"{number(alpha)} * {total}"
    if case.has(2):
        bias = case.read(2, ["i", "j"])
        total = f"{total} + {bias if beta == 1 else number(beta) + ' * ' + bias}"
    return [[define(total, ["i", "j"])]]


@rule("Einsum")
def einsum(case):
    """Index notation already; a dimension under dots gets letters of its own, repeated ones are the diagonal."""
    equation = case.attribute("equation").replace(" ", "")
    left, _, right = equation.partition("->")
    operands = left.split(",")
    if "->" not in equation:
        every = "".join(operands)
        right = "".join(sorted(c for c in set(every) if every.count(c) == 1 and c.isalpha()))
    dots = max([len(case.shape(k)) - len(o.replace(".", "")) for k, o in enumerate(operands) if "..." in o], default=0)
    hidden = [f"d{n}" for n in range(dots)]
    extents = {}
    reads = []
    for k, operand in enumerate(operands):
        names = spread(operand, hidden)
        extents.update(zip(names, case.shape(k)))
        reads.append(at(case.name(k), [f"{n}_" for n in names]))
    out = [f"{n}_" for n in spread(right, hidden)]
    summed = [n for n in extents if f"{n}_" not in out]
    value = " * ".join(reads)
    if summed:
        value = f"sum[{ranges([n + '_' for n in summed], [extents[n] for n in summed])}] {value}"
    return [[define(value, out)]]


def spread(subscripts, hidden):
    before, dots, after = subscripts.partition("...")
    return list(before) + (hidden if dots else []) + list(after)


@rule("Det")
def determinant(case):
    if case.shape(0)[-2:] != [2, 2]:
        raise Unsaid(ALGEBRA)
    indices = letters(len(case.result()))
    x = lambda row, column: at(case.name(0), indices + [str(row), str(column)])
    return [[define(f"{x(0, 0)} * {x(1, 1)} - {x(0, 1)} * {x(1, 0)}", indices)]]


@rule("BatchNormalization")
def batch_normalization(case):
    shape = case.shape(0)
    indices = letters(len(shape))
    eps, momentum = number(case.attribute("epsilon", 1e-5)), number(case.attribute("momentum", 0.9))
    x, scale, bias = at(case.name(0), indices), f"{case.name(1)}[j]", f"{case.name(2)}[j]"
    mean, var = f"{case.name(3)}[j]", f"{case.name(4)}[j]"
    if not case.attribute("training_mode", 0):
        return [[define(f"{scale} * ({x} - {mean}) / sqrt({var} + {eps}) + {bias}", indices)]]
    inner = [i if i == "j" else f"r{n}" for n, i in enumerate(indices)]
    over = ranges([r for r in inner if r != "j"], [e for n, e in enumerate(shape) if n != 1])
    row = at(case.name(0), inner)
    lines = [f"mu[j] = mean[{over}] {row}", f"spread[j] = mean[{over}] ({row} - mu[j])^2"]
    moved = lambda old, new: f"out[j] = {momentum} * {old} + (1 - {momentum}) * {new}"
    y = define(f"{scale} * ({x} - mu[j]) / sqrt(spread[j] + {eps}) + {bias}", indices)
    return [lines + [y], lines[:1] + [moved(mean, "mu[j]")], lines + [moved(var, "spread[j]")]]


@rule("InstanceNormalization", "GroupNormalization")
def per_channel(case):
    shape = case.shape(0)
    groups = case.attribute("num_groups", shape[1])
    size = shape[1] // groups
    indices = letters(len(shape))
    inner = [f"r{n}" for n in range(2, len(shape))]
    eps = number(case.attribute("epsilon", 1e-5))
    row = at(case.name(0), ["i", f"{size}*g + c" if size > 1 else "g"] + inner)
    over = ranges((["c"] if size > 1 else []) + inner, ([size] if size > 1 else []) + shape[2:])
    lines = [
        f"mu[i, g]: [{shape[0]}, {groups}] = mean[{over}] {row}",
        f"var[i, g]: [{shape[0]}, {groups}] = mean[{over}] ({row} - mu[i, g])^2",
    ]
    group = f"floor(j / {size})" if size > 1 else "j"
    x = at(case.name(0), indices)
    y = f"{case.name(1)}[j] * ({x} - mu[i, {group}]) / sqrt(var[i, {group}] + {eps}) + {case.name(2)}[j]"
    return [lines + [define(y, indices)]]


@rule("LayerNormalization", "RMSNormalization")
def over_the_last(case):
    """Over the dimensions from `axis` on; the mean and 1 / deviation are results too."""
    shape = case.shape(0)
    axis = case.attribute("axis", -1) % len(shape)
    indices = letters(len(shape))
    outer = indices[:axis]
    inner = [f"r{n}" for n in range(axis, len(shape))]
    over, row, x = ranges(inner, shape[axis:]), at(case.name(0), outer + inner), at(case.name(0), indices)
    eps = number(case.attribute("epsilon", 1e-5))
    scale = case.read(1, indices)
    if case.operator == "RMSNormalization":
        return [[f"{at('square', outer)} = mean[{over}] {row}^2", define(f"{scale} * {x} / sqrt({at('square', outer)} + {eps})", indices)]]
    lines = [f"{at('mu', outer)} = mean[{over}] {row}", f"{at('var', outer)} = mean[{over}] ({row} - {at('mu', outer)})^2"]
    bias = f" + {case.read(2, indices)}" if case.has(2) else ""
    y = define(f"{scale} * ({x} - {at('mu', outer)}) / sqrt({at('var', outer)} + {eps}){bias}", indices)
    inverse = define(f"1 / sqrt({at('var', outer)} + {eps})", indices)
    return [lines + [y], lines[:1] + [define(at("mu", outer), indices)], lines + [inverse]]


@rule("RotaryEmbedding")
def rotary(case):
    """Pairs of features turned by the angle of their position."""
    shape = case.shape(0)
    result = letters(len(shape))
    flat = len(shape) == 3
    heads = case.attribute("num_heads", 0) if flat else shape[1]
    size = shape[-1] // heads if flat else shape[-1]
    turned = case.attribute("rotary_embedding_dim", 0) or size
    half, interleaved = turned // 2, case.attribute("interleaved", 0)
    # Batch, head, position, feature.
    extents = [shape[0], heads, shape[1] if flat else shape[2], size]
    x = case.name(0)
    lines = [f"x[b, h, t, e]: {extents} = {x}[b, t, (h, e)]"] if flat else [f"x[b, h, t, e] = {x}[b, h, t, e]"]
    def angle(k, e):
        cache = case.name(k)
        if case.has(3):
            return f"{cache}[{case.name(3, case.shape(k)[0])}[b, t], {e}]"
        return f"{cache}[b, t, {e}]"
    pair = "floor(e / 2)" if interleaved else f"e mod {half}"
    cosine, sine = angle(1, pair), angle(2, pair)
    if interleaved:
        first, other = "e mod 2 == 0", "if e mod 2 == 0 then (x[b, h, t, e + 1] or 0) else (x[b, h, t, e - 1] or 0)"
    else:
        first, other = f"e < {half}", f"if e < {half} then (x[b, h, t, e + {half}] or 0) else (x[b, h, t, e - {half}] or 0)"
    lines.append(f"other[b, h, t, e]: {extents} = {other}")
    turn = f"{cosine} * x[b, h, t, e] + (if {first} then -1 else 1) * {sine} * other[b, h, t, e]"
    if turned < size:
        turn = f"if e < {turned} then {turn} else x[b, h, t, e]"
    if not flat:
        return [lines + [f"out[b, h, t, e] = {turn}"]]
    lines.append(f"y[b, h, t, e]: {extents} = {turn}")
    return [lines + ["out[b, t, (h, e)] = y[b, h, t, e]"]]


@rule("Momentum", "Adam", "Adagrad")
def update(case):
    """One step of an optimiser for each tensor: rate, number of updates, then all tensors, gradients, states."""
    names = [entry[0] for entry in case.inputs]
    kinds = {"Momentum": 3, "Adam": 4, "Adagrad": 3}[case.operator]
    count = (len(names) - 2) // kinds
    rate, steps = case.name(0), case.name(1)
    of = lambda kind, n: case.name(2 + kind * count + n)
    decay, eps = number(case.attribute("norm_coefficient", 0.0)), number(case.attribute("epsilon", 1e-6))
    alpha, beta = number(case.attribute("alpha", 0.9)), number(case.attribute("beta", 0.999))
    values, states, squares = [], [], []
    for n in range(count):
        x = of(0, n)
        lines = [f"g = {decay} * {x} + {of(1, n)}"]
        if case.operator == "Momentum":
            lines += [f"weight = if {steps} > 0 then {beta} else 1", f"v = {alpha} * {of(2, n)} + weight * g"]
            step = f"g + {alpha} * v" if case.attribute("mode") == "nesterov" else "v"
            values.append(lines + [f"{x} - {rate} * ({step})"])
            states.append(lines + ["v"])
        elif case.operator == "Adagrad":
            factor = number(case.attribute("decay_factor", 0.0))
            lines += [f"h = {of(2, n)} + g * g"]
            states.append(lines + ["h"])
            values.append(lines + [f"r = {rate} / (1 + {steps} * {factor})", f"{x} - r * g / (sqrt(h) + {eps})"])
        else:
            lines += [f"v = {alpha} * {of(2, n)} + (1 - {alpha}) * g", f"h = {beta} * {of(3, n)} + (1 - {beta}) * g * g"]
            bias = f"if {steps} > 0 then {rate} * sqrt(1 - {beta}^{steps}) / (1 - {alpha}^{steps}) else {rate}"
            after = number(case.attribute("norm_coefficient_post", 0.0))
            values.append([*lines, f"r = {bias}", f"(1 - {after}) * ({x} - r * v / (sqrt(h) + {eps}))"])
            states.append([lines[0], lines[1], "v"])
            squares.append([lines[0], lines[2], "h"])
    return values + states + squares
