"""Operators that move elements to other places, known while compiling, or make them from their places."""

import numpy as np
import onnx
from case import LARGE, Unsaid, at, define, letters, number, ranges, rule


def flat(case, k=0):
    """The lines that make a vector of input k, and its name."""
    rank = len(case.shape(k))
    if rank < 2:
        return [], case.name(k)
    indices = letters(rank)
    return [f"flat[({', '.join(indices)})] = {at(case.name(k), indices)}"], "flat"


@rule("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(case):
    """Row-major order stays: flattened, and split again."""
    lines, name = flat(case)
    indices = letters(len(case.result()))
    if not case.shape(0):
        return [[define(name, indices)]]
    if not indices:
        return [lines + [f"{name}[0]"]]
    position = indices[0] if len(indices) == 1 else f"({', '.join(indices)})"
    return [lines + [define(f"{name}[{position}]", indices)]]


@rule("Transpose")
def transpose(case):
    rank = len(case.shape(0))
    order = case.attribute("perm", list(range(rank))[::-1])
    indices = letters(rank)
    return [[define(at(case.name(0), [indices[order.index(n)] for n in range(rank)]), indices)]]


@rule("Concat")
def concat(case):
    shape = case.result()
    axis = case.attribute("axis") % len(shape)
    indices = letters(len(shape))
    i, start = indices[axis], 0
    parts = []
    for k in range(len(case.inputs)):
        here = f"{i} - {start}" if start else i
        start += case.shape(k)[axis]
        read = at(case.name(k), [here if n == axis else j for n, j in enumerate(indices)])
        parts.append(f"if {i} < {start} then {read} else " if k + 1 < len(case.inputs) else read)
    return [[define("".join(parts), indices)]]


@rule("Split")
def split(case):
    rank = len(case.shape(0))
    axis = case.attribute("axis", 0) % rank
    indices = letters(rank)
    bodies, start = [], 0
    for k in range(len(case.outputs)):
        where = [f"{i} + {start}" if n == axis and start else i for n, i in enumerate(indices)]
        bodies.append([define(at(case.name(0), where), indices)])
        start += case.result(k)[axis]
    return bodies


@rule("Slice")
def slices(case):
    shape, rank = case.shape(0), len(case.shape(0))
    starts, ends = case.value(1), case.value(2)
    axes = case.value(3) if case.has(3) else range(len(starts))
    steps = case.value(4) if case.has(4) else [1] * len(starts)
    indices = letters(rank)
    where = list(indices)
    for start, end, axis, step in zip(starts, ends, axes, steps):
        first, _, _ = slice(int(start), int(end), int(step)).indices(shape[axis])
        where[axis] = affine(where[axis], int(step), first)
    return [[define(at(case.name(0), where), indices)]]


def affine(index, factor, offset):
    """factor * index + offset."""
    if factor < 0:
        return f"{offset} - {index}" if factor == -1 else f"{offset} - {-factor}*{index}"
    text = index if factor == 1 else f"{factor}*{index}"
    return text if offset == 0 else f"{text} + {offset}" if offset > 0 else f"{text} - {-offset}"


@rule("Expand")
def expand(case):
    indices = letters(len(case.result()))
    return [[define(case.read(0, indices), indices)]]


@rule("Tile")
def tile(case):
    indices = letters(len(case.result()))
    return [[define(at(case.name(0), [f"{i} mod {n}" for i, n in zip(indices, case.shape(0))]), indices)]]


@rule("Pad")
def pad(case):
    shape, rank = case.shape(0), len(case.shape(0))
    given = [int(p) for p in case.value(1)]
    axes = [int(a) % rank for a in case.value(3)] if case.has(3) else list(range(rank))
    before = dict(zip(axes, given[: len(axes)]))
    indices = letters(rank)
    mode = case.attribute("mode", "constant")
    where = []
    for n, (i, extent) in enumerate(zip(indices, shape)):
        here = affine(i, 1, -before.get(n, 0))
        changed = case.result()[n] != extent
        if changed and mode == "edge":
            here = f"max(0, min({extent - 1}, {here}))"
        elif changed and mode == "reflect":
            here = f"{extent - 1} - abs({extent - 1} - abs({here}))"
        elif changed and mode == "wrap":
            here = f"({here}) mod {extent}"
        where.append(here)
    read = at(case.name(0), where)
    if mode == "constant":
        read = f"{read} or {case.name(2) if case.has(2) else 0}"
    return [[define(read, indices)]]


@rule("CenterCropPad")
def center(case):
    rank = len(case.shape(0))
    indices = letters(rank)
    where = []
    for i, had, has in zip(indices, case.shape(0), case.result()):
        offset = (had - has) // 2 if had > has else -((has - had) // 2)
        where.append(affine(i, 1, offset))
    padded = any(has > had for had, has in zip(case.shape(0), case.result()))
    return [[define(at(case.name(0), where) + (" or 0" if padded else ""), indices)]]


@rule("DepthToSpace")
def depth_to_space(case):
    b = case.attribute("blocksize")
    n, c, h, w = case.shape(0)
    depth = c // (b * b)
    row, column = f"(k mod {b})", f"(l mod {b})"
    channel = f"({row} * {b} + {column}) * {depth} + j" if case.attribute("mode", "DCR") == "DCR" else f"j * {b * b} + {row} * {b} + {column}"
    return [[define(f"{case.name(0)}[i, {channel}, floor(k / {b}), floor(l / {b})]", letters(4))]]


@rule("SpaceToDepth")
def space_to_depth(case):
    b = case.attribute("blocksize")
    c = case.shape(0)[1]
    if case.attribute("mode", "DCR") == "DCR":
        block, channel = f"floor(j / {c})", f"j mod {c}"
    else:
        block, channel = f"(j mod {b * b})", f"floor(j / {b * b})"
    return [[define(f"{case.name(0)}[i, {channel}, {b}*k + floor({block} / {b}), {b}*l + {block} mod {b}]", letters(4))]]


@rule("Trilu")
def triangle(case):
    indices = letters(len(case.shape(0)))
    i, j = indices[-2:]
    k = int(case.value(1)) if case.has(1) else 0
    order = ">=" if case.attribute("upper", 1) else "<="
    return [[define(f"if {j} - {i} {order} {k} then {at(case.name(0), indices)} else 0", indices)]]


@rule("EyeLike")
def eye(case):
    case.name(0)
    return [[define(f"if j - i == {case.attribute('k', 0)} then 1 else 0", ["i", "j"])]]


@rule("Shape")
def shape(case):
    listed = ", ".join(str(int(x)) for x in case.outputs[0][1])
    return [[f"[{listed}]"]]


@rule("Size")
def size(case):
    rank = len(case.shape(0))
    indices = letters(rank)
    return [[f"sum[{ranges(indices, case.shape(0))}] 1"]]


@rule("Range")
def steps(case):
    return [[define(f"{case.name(0)} + {case.name(2)} * i", ["i"])]]


@rule("ConstantOfShape")
def constant_of_shape(case):
    value = onnx.numpy_helper.to_array(case.attribute("value")).ravel()[0] if case.attribute("value") else 0
    return [[define(f"{number(value)} + 0 * i", letters(len(case.result())))]]


@rule("Constant")
def constant(case):
    value = onnx.numpy_helper.to_array(case.attribute("value"))
    if value.size > 100:
        raise Unsaid(LARGE)

    def listed(part):
        return number(part) if part.ndim == 0 else "[" + ", ".join(map(listed, part)) + "]"

    return [[listed(value)]]


@rule("ReverseSequence")
def reverse_sequence(case):
    """The first `lens[b]` of each sequence backwards; whether a place is among them is known when it runs."""
    time, batch = case.attribute("time_axis", 0), case.attribute("batch_axis", 1)
    shape, rank = case.shape(0), len(case.shape(0))
    indices = letters(rank)
    t, length = indices[time], f"{case.name(1)}[{indices[batch]}]"
    row = at(case.name(0), ["r" if n == time else i for n, i in enumerate(indices)])
    wanted = f"(if {t} < {length} then {length} - 1 - {t} else {t})"
    return [[define(f"sum[r: {shape[time]}] (if r == {wanted} then {row} else 0)", indices)]]


@rule("Upsample")
def upsample(case):
    indices = letters(len(case.result()))
    scales = [int(s) for s in case.value(1)]
    return [[define(at(case.name(0), [f"floor({i} / {s})" if s > 1 else i for i, s in zip(indices, scales)]), indices)]]


@rule("AffineGrid")
def affine_grid(case):
    """theta times the homogeneous coordinates of each place, in [-1, 1]."""
    extents = case.result()[1:-1]
    d = len(extents)
    indices = letters(d + 2)
    def coordinate(i, extent):
        if case.attribute("align_corners", 0):
            return f"(2 * {i} / {extent - 1} - 1)"
        return f"((2 * {i} + 1) / {extent} - 1)"
    theta, row = case.name(0), indices[-1]
    # The last coordinate of a place comes first.
    terms = [f"{theta}[i, {row}, {n}] * {coordinate(indices[d - n], extents[d - 1 - n])}" for n in range(d)]
    return [[define(" + ".join(terms) + f" + {theta}[i, {row}, {d}]", indices)]]
