"""Convolutions and pooling."""

from case import NO_RULE, Unsaid, at, define, letters, number, ranges, rule
from shapes import affine

SPACE = ["k", "l", "m"]
WINDOW = ["u", "v", "w"]


class Window:
    """Kernel, steps, dilations and paddings for each dimension of space."""

    def __init__(self, case, kernel, extents, results):
        d = len(kernel)
        self.kernel = list(kernel)
        self.strides = case.attribute("strides") or [1] * d
        self.dilations = case.attribute("dilations") or [1] * d
        given = case.attribute("pads") or [0] * (2 * d)
        self.before, self.after = given[:d], given[d:]
        auto = case.attribute("auto_pad", "NOTSET")
        if auto.startswith("SAME"):
            spans = [(k - 1) * g + 1 for k, g in zip(self.kernel, self.dilations)]
            total = [max(0, (r - 1) * s + span - n) for r, s, span, n in zip(results, self.strides, spans, extents)]
            self.before = [t // 2 if auto == "SAME_UPPER" else t - t // 2 for t in total]
            self.after = [t - b for t, b in zip(total, self.before)]
        self.extents = list(extents)
        self.over = ranges(WINDOW, self.kernel)
        self.places = [
            place(i, s, u, g, b)
            for i, s, u, g, b in zip(SPACE, self.strides, WINDOW, self.dilations, self.before)
        ]
        spans = [(r - 1) * s + (k - 1) * g for r, s, k, g in zip(results, self.strides, self.kernel, self.dilations)]
        reach = [(-b, span - b) for span, b in zip(spans, self.before)]
        self.outside = any(low < 0 or high >= n for (low, high), n in zip(reach, self.extents))

    def within(self, padded):
        """Whether the window's element lies in the tensor, or in its padding."""
        conditions = []
        for p, n, b, a in zip(self.places, self.extents, self.before, self.after):
            low, high = (-b, n + a) if padded else (0, n)
            conditions.append(f"{p} >= {low} && {p} < {high}")
        return " && ".join(conditions)


def place(i, stride, u, dilation, before):
    return affine(f"{affine(i, stride, 0)} + {affine(u, dilation, 0)}", 1, -before)


@rule("Conv", "ConvInteger")
def conv(case):
    shape, weights, d = case.shape(0), case.shape(1), len(case.shape(0)) - 2
    window = Window(case, weights[2:], shape[2:], case.result()[2:])
    group = case.attribute("group", 1)
    channel = "c" if group == 1 else f"floor(j / {weights[0] // group}) * {weights[1]} + c"
    x = at(case.name(0), ["i", channel] + window.places)
    if case.operator == "ConvInteger" and case.has(2):
        x = f"({x} or {case.name(2)}) - {case.name(2)}"
    elif window.outside:
        x = f"{x} or 0"
    w = at(case.name(1), ["j", "c"] + WINDOW[:d])
    if case.operator == "ConvInteger" and case.has(3):
        w = f"({w} - {at(case.name(3), ['j'] if case.shape(3) and case.shape(3)[0] > 1 else ['0'] if case.shape(3) else [])})"
    total = f"sum[c: {weights[1]}, {window.over}] {w} * ({x})"
    if case.operator == "Conv" and case.has(2):
        total = f"{case.name(2)}[j] + {total}"
    return [[define(total, ["i", "j"] + SPACE[:d])]]


@rule("ConvTranspose")
def conv_transpose(case):
    """What a convolution reads from, it adds to."""
    shape, weights, d = case.shape(0), case.shape(1), len(case.shape(0)) - 2
    strides = case.attribute("strides") or [1] * d
    dilations = case.attribute("dilations") or [1] * d
    group = case.attribute("group", 1)
    results = case.result()[2:]
    spans = [(n - 1) * s + (k - 1) * g + 1 for n, s, k, g in zip(shape[2:], strides, weights[2:], dilations)]
    extra = case.attribute("output_padding") or [0] * d
    before = (case.attribute("pads") or [0] * d)[:d]
    auto = case.attribute("auto_pad", "NOTSET")
    if auto != "NOTSET" or case.attribute("output_shape"):
        total = [span + e - r for span, e, r in zip(spans, extra, results)]
        before = [max(0, t) // 2 if auto != "SAME_LOWER" else max(0, t) - max(0, t) // 2 for t in total]
    places = [place(i, s, u, g, b) for i, s, u, g, b in zip(SPACE, strides, WINDOW, dilations, before)]
    if group == 1:
        x, w = case.name(0), case.name(1)
        value = f"sum[c: {shape[1]}] {at(x, ['i', 'c'] + SPACE[:d])} * {at(w, ['c', 'j'] + WINDOW[:d])}"
        lines = [f"out[{', '.join(['i', 'j'] + places)}] or 0 += {value}"]
    else:
        if shape[1] != group or weights[1] != 1:
            raise Unsaid(NO_RULE)
        value = f"{at(case.name(0), ['i', 'j'] + SPACE[:d])} * {at(case.name(1), ['j', '0'] + WINDOW[:d])}"
        lines = [f"out[{', '.join(['i', 'j'] + places)}] or 0 += {value}"]
    return [lines]


@rule("MaxPool", "AveragePool", "LpPool")
def pool(case):
    shape, d = case.shape(0), len(case.shape(0)) - 2
    window = Window(case, case.attribute("kernel_shape"), shape[2:], case.result()[2:])
    x = at(case.name(0), ["i", "j"] + window.places)
    indices = ["i", "j"] + SPACE[:d]
    guarded = lambda otherwise: f"({x} or {otherwise})" if window.outside else x
    plain = d == 2 and not window.outside and window.dilations == [1] * d and len(set(window.kernel + [0])) == 2
    plain = plain and len(set(window.strides)) == 1 and case.operator != "LpPool" and len(case.outputs) == 1
    if plain:
        name = {"MaxPool": "max_pool", "AveragePool": "avg_pool"}[case.operator]
        return [[f"out[i] = {name}({case.name(0)}[i], {window.kernel[0]}, stride = {window.strides[0]})"]]
    if case.operator == "LpPool":
        p = case.attribute("p", 2)
        return [[define(f"(sum[{window.over}] abs{'(' + guarded(0) + ')'}^{p})^(1 / {p})", indices)]]
    if case.operator == "AveragePool":
        count = 1
        for k in window.kernel:
            count *= k
        if window.outside:
            padded = bool(case.attribute("count_include_pad", 0))
            count = f"(sum[{window.over}] (if {window.within(padded)} then 1 else 0))"
        return [[define(f"(sum[{window.over}] {guarded(0)}) / {count}", indices)]]
    lowest = guarded("(-inf)")
    bodies = [[define(f"max[{window.over}] {lowest}", indices)]]
    if len(case.outputs) > 1:
        best = f"{at('best', indices)}: {case.result()} = argmax[{window.over}] {lowest}"
        rest, number_of = at("best", indices), []
        inner = 1
        for n in reversed(range(d)):
            u = f"(floor({rest} / {inner}) mod {window.kernel[n]})" if n or d > 1 else rest
            number_of.insert(0, f"({place(SPACE[n], window.strides[n], u, window.dilations[n], window.before[n])})")
            inner *= window.kernel[n]
        column = case.attribute("storage_order", 0)
        position = f"i * {shape[1]} + j"
        order = range(d) if not column else reversed(range(d))
        for n in order:
            position = f"({position}) * {shape[2 + n]} + {number_of[n]}"
        bodies.append([best, define(position, indices)])
    return bodies


@rule("GlobalAveragePool", "GlobalMaxPool")
def global_pool(case):
    shape = case.shape(0)
    d = len(shape) - 2
    op = "mean" if case.operator == "GlobalAveragePool" else "max"
    value = f"{op}[{ranges(WINDOW, shape[2:])}] {at(case.name(0), ['i', 'j'] + WINDOW[:d])}"
    return [[define(value, ["i", "j"] + SPACE[:d])]]


@rule("LRN")
def local_response(case):
    shape = case.shape(0)
    size, alpha = case.attribute("size"), number(case.attribute("alpha", 1e-4))
    beta, bias = number(case.attribute("beta", 0.75)), number(case.attribute("bias", 1.0))
    x = case.name(0)
    near = f"(sum[u: {size}] ({x}[i, {affine('j + u', 1, -((size - 1) // 2))}, k, l] or 0)^2)"
    return [[define(f"{x}[i, j, k, l] / ({bias} + {alpha} / {size} * {near})^{beta}", letters(4))]]


@rule("Col2Im")
def col2im(case):
    """Columns are added to the places of the image that they were taken from."""
    n, c = case.result()[:2]
    extents, kernel = [int(x) for x in case.value(1)], [int(x) for x in case.value(2)]
    d = len(kernel)
    strides = case.attribute("strides") or [1] * d
    dilations = case.attribute("dilations") or [1] * d
    pads = case.attribute("pads") or [0] * (2 * d)
    counts = [
        (e + pads[a] + pads[a + d] - dilations[a] * (kernel[a] - 1) - 1) // strides[a] + 1 for a, e in enumerate(extents)
    ]
    window, space = WINDOW[:d], SPACE[:d]
    extents = ", ".join(map(str, [n, c] + kernel + counts))
    columns = f"columns[{', '.join(['i', 'j'] + window + space)}]: [{extents}]"
    split = f"{columns} = {case.name(0)}[i, (j, {', '.join(window)}), ({', '.join(space)})]"
    places = [place(i, s, u, g, b) for i, s, u, g, b in zip(space, strides, window, dilations, pads)]
    if d == 1:
        split = split.replace("(k)", "k")
    read = at("columns", ["i", "j"] + window + space)
    return [[split, f"out[{', '.join(['i', 'j'] + places)}] or 0 += {read}"]]


@rule("CausalConvWithState")
def causal_conv(case):
    """A depthwise convolution over the past, whose last inputs are the state."""
    (n, c, length), kernel = case.shape(0), case.shape(1)[2]
    past = kernel - 1
    x = case.name(0)
    state = f"({case.name(3)}[i, j, %s + {past}] or 0)" if case.has(3) and past else "0"
    place = affine("k + u", 1, -past)
    earlier = f"if {place} < 0 then {state % place if '%s' in state else state} else ({x}[i, j, {place}] or 0)"
    total = f"sum[u: {kernel}] {case.name(1)}[j, 0, u] * ({earlier})"
    if case.has(2):
        total = f"{case.name(2)}[j] + {total}"
    activation = case.attribute("activation", "none")
    lines = [define(total, ["i", "j", "k"])]
    if activation in ("silu", "swish"):
        lines = [f"y[i, j, k]: [{n}, {c}, {length}] = {total}", "silu(y)"]
    place = affine("k", 1, length - past)
    present = f"if {place} < 0 then {state % ('(' + place + ')') if '%s' in state else state} else ({x}[i, j, {place}] or 0)"
    return [lines, [define(present, ["i", "j", "k"])]]
