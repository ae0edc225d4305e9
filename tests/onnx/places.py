"""Operators that read or write at places which are themselves inputs.

Where all places given are not negative they are classes and read directly (`x[t[i]]`); else they are numbers, which
are compared with the places there are.
"""

import numpy as np
from case import NO_RULE, Unsaid, at, define, letters, ranges, rule


def direct(case, k, extent):
    """Whether input k can be a class below `extent`."""
    value = case.value(k)
    return value.min() >= 0 and value.max() < extent


def counted(place, extent):
    """A place counted from the end where it is negative."""
    return f"(if {place} < 0 then {place} + {extent} else {place})"


@rule("Gather", "ArrayFeatureExtractor")
def gather(case):
    shape = case.shape(0)
    axis = case.attribute("axis", 0 if case.operator == "Gather" else -1) % len(shape)
    indices = letters(len(case.result()))
    rank = len(case.shape(1))
    inner = indices[axis : axis + rank]
    before, after = indices[:axis], indices[axis + rank :]
    if direct(case, 1, shape[axis]):
        place = at(case.name(1, shape[axis]), inner)
        return [[define(at(case.name(0), before + [place] + after), indices)]]
    place = counted(at(case.name(1), inner), shape[axis])
    read = at(case.name(0), before + ["r"] + after)
    return [[define(f"sum[r: {shape[axis]}] (if r == {place} then {read} else 0)", indices)]]


@rule("GatherElements")
def gather_elements(case):
    shape = case.shape(0)
    axis = case.attribute("axis", 0) % len(shape)
    indices = letters(len(shape))
    if direct(case, 1, shape[axis]):
        place = at(case.name(1, shape[axis]), indices)
        return [[define(at(case.name(0), [place if n == axis else i for n, i in enumerate(indices)]), indices)]]
    place = counted(at(case.name(1), indices), shape[axis])
    read = at(case.name(0), ["r" if n == axis else i for n, i in enumerate(indices)])
    return [[define(f"sum[r: {shape[axis]}] (if r == {place} then {read} else 0)", indices)]]


@rule("GatherND")
def gather_nd(case):
    shape, places = case.shape(0), case.shape(1)
    batch, depth = case.attribute("batch_dims", 0), places[-1]
    indices = letters(len(case.result()))
    outer = indices[: len(places) - 1]
    classes = max(shape[batch : batch + depth])
    if len(set(shape[batch : batch + depth])) > 1:
        raise Unsaid(NO_RULE)
    where = [at(case.name(1, classes), outer + [str(d)]) for d in range(depth)]
    return [[define(at(case.name(0), indices[:batch] + where + indices[len(outer) :]), indices)]]


@rule("Scatter", "ScatterElements")
def scatter_elements(case):
    """Each place takes what is written to it: of several writes their sum, product or extremum."""
    shape, written = case.shape(0), case.shape(1)
    axis = case.attribute("axis", 0) % len(shape)
    indices = letters(len(shape))
    inner = [f"r" if n == axis else i for n, i in enumerate(indices)]
    # What is written may cover less than the tensor in the other dimensions.
    inside = [f"{i} < {w}" for n, (i, s, w) in enumerate(zip(indices, shape, written)) if n != axis and w < s]
    place = at(case.name(1), inner) + (" or (-1)" if inside else "")
    place = counted(f"({place})" if inside else place, shape[axis])
    hit = " && ".join(inside + [f"{place} == {indices[axis]}"])
    update = at(case.name(2), inner)
    update = f"({update} or 0)" if inside else update
    return [merged(case, indices, f"r: {written[axis]}", hit, update)]


@rule("ScatterND")
def scatter_nd(case):
    shape, places = case.shape(0), case.shape(1)
    depth = places[-1]
    indices = letters(len(shape))
    outer = [f"r{n}" for n in range(len(places) - 1)]
    same = [f"{counted(at(case.name(1), outer + [str(d)]), shape[d])} == {indices[d]}" for d in range(depth)]
    update = at(case.name(2), outer + indices[depth:])
    return [merged(case, indices, ranges(outer, places[:-1]), " && ".join(same), update)]


def merged(case, indices, over, hit, update):
    """The tensor with updates where they hit."""
    x = at(case.name(0), indices)
    reduction = case.attribute("reduction", "none")
    if reduction == "add":
        return [define(f"{x} + (sum[{over}] (if {hit} then {update} else 0))", indices)]
    if reduction == "mul":
        return [define(f"{x} * (prod[{over}] (if {hit} then {update} else 1))", indices)]
    if reduction in ("max", "min"):
        none = "-inf" if reduction == "max" else "inf"
        return [define(f"{reduction}({x}, {reduction}[{over}] (if {hit} then {update} else {none}))", indices)]
    written = f"{at('hit', indices)}: {case.result()} of bool = any[{over}] ({hit})"
    new = f"(sum[{over}] (if {hit} then {update} else 0))"
    return [written, define(f"if {at('hit', indices)} then {new} else {x}", indices)]


@rule("OneHot")
def one_hot(case):
    """`values` is what stands off and on; places count from the end where they are negative."""
    rank = len(case.result())
    axis = case.attribute("axis", -1) % rank
    depth = case.result()[axis]
    indices = letters(rank)
    place = counted(at(case.name(0), [i for n, i in enumerate(indices) if n != axis]), depth)
    values = case.name(2)
    return [[define(f"if {indices[axis]} == {place} then {values}[1] else {values}[0]", indices)]]


@rule("TensorScatter")
def tensor_scatter(case):
    """A cache with an update written from a place on, one for each sequence."""
    shape, update = case.shape(0), case.shape(1)
    axis = case.attribute("axis", -2) % len(shape)
    indices = letters(len(shape))
    start = f"{case.name(2)}[{indices[0]}]" if case.has(2) else "0"
    position = f"{start} + r"
    if case.attribute("mode", "linear") == "circular":
        position = f"(if {position} >= {shape[axis]} then {position} - {shape[axis]} else {position})"
    hit = f"{position} == {indices[axis]}"
    read = at(case.name(1), ["r" if n == axis else i for n, i in enumerate(indices)])
    return [merged(case, indices, f"r: {update[axis]}", hit, read)]


@rule("MaxUnpool")
def max_unpool(case):
    """Each number goes to the place it came from, counted in the whole of the result."""
    indices = letters(len(case.result()))
    shape, extents = case.result(), case.shape(0)
    place = indices[0]
    for i, extent in zip(indices[1:], shape[1:]):
        place = f"({place}) * {extent} + {i}"
    outer = [f"r{n}" for n in range(len(extents))]
    if case.has(2) and list(case.value(2)) != pooled_extent(case):
        # The places are those of the smaller tensor that was pooled.
        place = indices[0]
        for i, extent in zip(indices[1:], pooled_extent(case)[1:]):
            place = f"({place}) * {extent} + {i}"
        inside = " && ".join(f"{i} < {n}" for i, n in zip(indices, pooled_extent(case)))
        read = f"sum[{ranges(outer, extents)}] (if {at(case.name(1), outer)} == {place} then {at(case.name(0), outer)} else 0)"
        return [[define(f"if {inside} then ({read}) else 0", indices)]]
    read = f"sum[{ranges(outer, extents)}] (if {at(case.name(1), outer)} == {place} then {at(case.name(0), outer)} else 0)"
    return [[define(read, indices)]]


def pooled_extent(case):
    """The extents of what was pooled, by the window and its steps."""
    kernel, strides = case.attribute("kernel_shape"), case.attribute("strides", [1, 1])
    return case.shape(0)[:2] + [(n - 1) * s + k for n, s, k in zip(case.shape(0)[2:], strides, kernel)]
