"""Interpolation: every result is a sum of neighbours, weighted by their distance from a place between them."""

import math

from case import NO_RULE, Unsaid, at, letters, number, ranges, rule, shape_text

# What a neighbour at distance `d` counts.
LINEAR = "max(0, 1 - abs({d}))"


def cubic(a):
    a = number(a)
    near = f"({a} + 2) * abs({{d}})^3 - ({a} + 3) * ({{d}})^2 + 1"
    far = f"{a} * abs({{d}})^3 - 5 * {a} * ({{d}})^2 + 8 * {a} * abs({{d}}) - 4 * {a}"
    return f"(if abs({{d}}) <= 1 then {near} else if abs({{d}}) < 2 then {far} else 0)"


NEAREST = {
    "round_prefer_floor": "ceil({c} - 0.5)",
    "round_prefer_ceil": "floor({c} + 0.5)",
    "floor": "floor({c})",
    "ceil": "ceil({c})",
}


@rule("Resize")
def resize(case):
    shape, result = case.shape(0), case.result()
    rank = len(shape)
    axes = [a % rank for a in case.attribute("axes", list(range(rank)))]
    scales = dict.fromkeys(range(rank), 1.0)
    if case.has(2) and case.value(2).size:
        scales.update(zip(axes, map(float, case.value(2))))
    else:
        sizes = [int(x) for x in case.value(3)]
        each = [n / shape[a] for n, a in zip(sizes, axes)]
        policy = case.attribute("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            each = [min(each) if policy == "not_larger" else max(each)] * len(axes)
        scales.update(zip(axes, each))
    indices = letters(rank)
    lines, source, extents = [], case.name(0), list(shape)
    extrapolated = []
    for axis in range(rank):
        mode = case.attribute("coordinate_transformation_mode", "half_pixel")
        if scales[axis] == 1 and result[axis] == shape[axis] and mode != "tf_crop_and_resize":
            continue
        if mode == "tf_crop_and_resize" and axis not in axes:
            continue
        roi = None
        if mode == "tf_crop_and_resize":
            place, count = axes.index(axis), len(axes)
            roi = (float(case.value(1)[place]), float(case.value(1)[place + count]))
        i = indices[axis]
        c = coordinate(case, mode, i, scales[axis], shape[axis], result[axis], roi)
        if roi:
            extrapolated.append(f"{c} < 0 || {c} > {shape[axis] - 1}")
        extents[axis] = result[axis]
        value = along(case, source, indices, axis, c, scales[axis], shape[axis])
        source = f"y{axis}"
        lines.append(f"{at(source, indices)}: {shape_text(extents)} = {value}")
    y = at(source, indices)
    if extrapolated:
        outside = " || ".join(extrapolated)
        y = f"if {outside} then {number(case.attribute('extrapolation_value', 0.0))} else {y}"
    return [lines + [f"{at('out', indices)} = {y}"]]


def coordinate(case, mode, i, scale, had, has, roi):
    """The place in what is given of place i of the result; the widths may not be whole."""
    width = scale * had
    factor = f"{number(scale)}"
    half = f"(({i} + 0.5) / {factor} - 0.5)"
    if mode == "align_corners":
        return "0" if width == 1 else f"({i} * {had - 1} / {number(width - 1)})"
    if mode == "asymmetric":
        return f"({i} / {factor})"
    if mode == "half_pixel" or mode == "pytorch_half_pixel" and width != 1:
        return half
    if mode == "pytorch_half_pixel":
        return f"(0 * {i} - 0.5)"
    if mode == "half_pixel_symmetric":
        return f"({number(had / 2 * (1 - has / width))} + {half})"
    if mode == "tf_crop_and_resize":
        first, last = roi
        if width == 1:
            return f"(0 * {i} + {number((last - first) * (had - 1) / 2 + first * (had - 1))})"
        return f"({i} * {number((last - first) * (had - 1) / (width - 1))} + {number(first * (had - 1))})"
    raise Unsaid(NO_RULE)


def along(case, source, indices, axis, c, scale, extent):
    """The sum over neighbours along one axis; outside stands the edge."""
    mode = case.attribute("mode", "nearest")
    inner = lambda place: at(source, [place if n == axis else i for n, i in enumerate(indices)])
    if mode == "nearest":
        place = NEAREST[case.attribute("nearest_mode", "round_prefer_floor")].format(c=c)
        return f"sum[r: {extent}] (if r == max(0, min({extent - 1}, {place})) then {inner('r')} else 0)"
    kernel = LINEAR if mode == "linear" else cubic(case.attribute("cubic_coeff_a", -0.75))
    shrunk = min(scale, 1.0) if case.attribute("antialias", 0) else 1.0
    reach = math.ceil((1 if mode == "linear" else 2) / shrunk) + 1
    exclude = case.attribute("exclude_outside", 0)
    margin = 0 if exclude else reach
    distance = f"(r - {margin} - {c})" if margin else f"(r - {c})"
    weight = kernel.format(d=distance if shrunk == 1 else f"({number(shrunk)} * {distance})")
    place = f"max(0, min({extent - 1}, r - {margin}))" if margin else "r"
    total = f"sum[r: {extent + 2 * margin}] {weight} * {inner(place)}"
    if exclude or shrunk != 1:
        return f"({total}) / (sum[r: {extent + 2 * margin}] {weight})"
    return total


@rule("GridSample")
def grid_sample(case):
    """As many places as the grid has, each in [-1, 1] for every dimension, the last dimension first."""
    shape, grid = case.shape(0), case.name(1)
    d = len(shape) - 2
    space = ["k", "l", "m"][:d]
    aligned = case.attribute("align_corners", 0)
    mode, padding = case.attribute("mode", "linear"), case.attribute("padding_mode", "zeros")
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    lines, weights, places, over = [], [], [], []
    result = shape_text([shape[0]] + case.result()[2:])
    for a, extent in enumerate(shape[2:]):
        x = f"{grid}[i, {', '.join(space)}, {d - 1 - a}]"
        c = f"({x} + 1) / 2 * {extent - 1}" if aligned else f"(({x} + 1) * {extent} - 1) / 2"
        if mode == "nearest":
            c = f"round({c})"
        lines.append(f"raw{a}[i, {', '.join(space)}]: {result} = {c}")
        raw = f"raw{a}[i, {', '.join(space)}]"
        low, high = (0, extent - 1) if aligned else (-0.5, extent - 0.5)
        if padding == "border":
            c = f"if {raw} < {low} || {raw} > {high} then max(0, min({extent - 1}, {raw})) else {raw}"
        elif padding == "reflection":
            # Folded at the borders: the distance from the lower one, there and back again.
            period = 2 * (high - low)
            turn = f"({raw} - {low} - {period} * floor(({raw} - {low}) / {period}))"
            c = f"{low} + {high - low} - abs({high - low} - {turn})"
            c = f"if {raw} < {low} || {raw} > {high} then {c} else {raw}"
        else:
            c = raw
        lines.append(f"c{a}[i, {', '.join(space)}]: {result} = {c}")
        place = f"c{a}[i, {', '.join(space)}]"
        margin = 0 if padding == "zeros" else 3
        r = f"r{a}"
        there = f"{r} - {margin}" if margin else r
        if mode == "nearest":
            # What is between -1 and 0 counts as 0.
            whole = f"(if {place} < 0 then ceil({place}) else floor({place}))"
            weights.append(f"(if {there} == {whole} then 1 else 0)")
        else:
            kernel = LINEAR if mode == "linear" else cubic(-0.75)
            weights.append(kernel.format(d=f"({there} - {place})"))
        if padding == "border":
            there = f"max(0, min({extent - 1}, {there}))"
        elif padding == "reflection" and aligned:
            there = f"max(0, min({extent - 1}, {extent - 1} - abs({extent - 1} - abs({there}))))"
        elif padding == "reflection":
            there = f"max(0, min({extent - 1}, if {there} < 0 then -1 - ({there}) else if {there} >= {extent} then {2 * extent - 1} - ({there}) else {there}))"
        places.append(there)
        over.append(extent + 2 * margin)
    read = f"{case.name(0)}[i, j, {', '.join(places)}]"
    total = f"sum[{ranges([f'r{a}' for a in range(d)], over)}] {' * '.join(weights)} * {read}"
    return [lines + [f"out[i, j, {', '.join(space)}] = {total}"]]


@rule("RoiAlign")
def roi_align(case):
    """The mean, or the largest product, of interpolated samples in the cells of a rectangle."""
    _, _, height, width = case.shape(0)
    count, rows, columns = case.result()[0], case.result()[2], case.result()[3]
    ratio = case.attribute("sampling_ratio", 0)
    if ratio == 0 or case.attribute("mode", "avg") != "avg":
        raise Unsaid(NO_RULE)
    scale = number(case.attribute("spatial_scale", 1.0))
    moved = " - 0.5" if case.attribute("coordinate_transformation_mode", "half_pixel") == "half_pixel" else ""
    rois = case.name(1)
    image = f"{case.name(2, case.shape(0)[0])}[i]"

    def place(corner, other, cells, cell, sample):
        start, end = f"({rois}[i, {corner}] * {scale}{moved})", f"({rois}[i, {other}] * {scale}{moved})"
        size = f"({end} - {start})" if moved else f"max({end} - {start}, 1)"
        return f"{start} + {size} / {cells} * ({cell} + ({sample} + 0.5) / {ratio})"

    lines = [
        f"y[i, k, u]: [{count}, {rows}, {ratio}] = {place(1, 3, rows, 'k', 'u')}",
        f"x[i, l, v]: [{count}, {columns}, {ratio}] = {place(0, 2, columns, 'l', 'v')}",
        # Far outside counts nothing; a little outside counts as the edge.
        f"inside[i, k, l, u, v]: [{count}, {rows}, {columns}, {ratio}, {ratio}] = if y[i, k, u] < -1 || y[i, k, u] > {height}"
        f" || x[i, l, v] < -1 || x[i, l, v] > {width} then 0 else 1",
    ]
    down = LINEAR.format(d=f"(r - max(0, min({height - 1}, y[i, k, u])))")
    across = LINEAR.format(d=f"(s - max(0, min({width - 1}, x[i, l, v])))")
    total = f"sum[u: {ratio}, v: {ratio}, r: {height}, s: {width}] inside[i, k, l, u, v] * {down} * {across} * {case.name(0)}[{image}, j, r, s]"
    return [lines + [f"out[i, j, k, l] = ({total}) / {ratio * ratio}"]]
