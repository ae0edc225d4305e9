"""Operators that reduce dimensions, or compute each element from its whole row."""

import numpy as np
from case import at, define, letters, number, ranges, rule

# What is reduced of the element `{0}`, and what is done with the result.
REDUCTIONS = {
    "ReduceL1": ("sum", "abs({0})", "{0}"),
    "ReduceL2": ("sum", "{0}^2", "sqrt({0})"),
    "ReduceLogSum": ("sum", "{0}", "log({0})"),
    "ReduceLogSumExp": ("logsumexp", "{0}", "{0}"),
    "ReduceMax": ("max", "{0}", "{0}"),
    "ReduceMean": ("mean", "{0}", "{0}"),
    "ReduceMin": ("min", "{0}", "{0}"),
    "ReduceProd": ("prod", "{0}", "{0}"),
    "ReduceSum": ("sum", "{0}", "{0}"),
    "ReduceSumSquare": ("sum", "{0}^2", "{0}"),
}


def axes_of(case, rank):
    """The axes reduced, from an input or an attribute."""
    axes = case.value(1) if case.has(1) else case.attribute("axes")
    if axes is None or np.size(axes) == 0:
        return [] if case.attribute("noop_with_empty_axes", 0) else list(range(rank))
    return sorted(int(a) % rank for a in axes)


def kept(indices, axes, keep):
    """The indices of the result; a dimension kept with extent 1 has an index of its own."""
    return [i for n, i in enumerate(indices) if n not in axes or keep]


@rule(*REDUCTIONS)
def reduction(case):
    op, element, after = REDUCTIONS[case.operator]
    rank = len(case.shape(0))
    axes = axes_of(case, rank)
    indices = letters(rank)
    inner = [f"r{n}" if n in axes else i for n, i in enumerate(indices)]
    x = element.format(at(case.name(0), inner))
    if case.value(0).dtype == bool:
        # Of truth values: whether any is true, or all.
        x = f"(if {x} then 1 else 0)"
    if axes:
        over = ranges([f"r{a}" for a in axes], [case.shape(0)[a] for a in axes])
        x = f"({op}[{over}] {x})"
    elif op == "logsumexp":
        x = f"log(exp({x}))"
    return [[define(after.format(x), kept(indices, axes, case.attribute("keepdims", 1)))]]


@rule("ArgMax", "ArgMin")
def arg(case):
    shape, rank = case.shape(0), len(case.shape(0))
    axis = case.attribute("axis", 0) % rank
    indices = letters(rank)
    last, n = case.attribute("select_last_index", 0), shape[axis]
    position = f"{n - 1} - r" if last else "r"
    x = at(case.name(0), [position if k == axis else i for k, i in enumerate(indices)])
    found = f"(argmax[r: {n}] {'-' if case.operator == 'ArgMin' else ''}{x})"
    value = f"{n - 1} - {found}" if last else found
    return [[define(value, kept(indices, [axis], case.attribute("keepdims", 1)))]]


@rule("Softmax", "LogSoftmax", "Hardmax")
def along_axis(case):
    shape, rank = case.shape(0), len(case.shape(0))
    axis = case.attribute("axis", -1 if case.version >= 13 else 1) % rank
    indices = letters(rank)
    rest = [i for n, i in enumerate(indices) if n != axis]
    row = ["r" if n == axis else i for n, i in enumerate(indices)]
    line = f"{at('row', rest + ['r'])} = {at(case.name(0), row)}" if rank > 1 else f"row[r] = {case.name(0)}[r]"
    function = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}.get(case.operator)
    if function is None:
        largest = f"{at('best', rest)} = argmax[r: {shape[axis]}] {at(case.name(0), row)}"
        best = at("best", rest)
        if not rest:
            largest = largest.replace("best =", "best =")
        return [[largest, define(f"if {indices[axis]} == {best} then 1 else 0", indices)]]
    if not rest:
        return [[f"{function}({case.name(0)})"]]
    applied = f"{at('p', rest)} = {function}({at('row', rest)})"
    return [[line, applied, define(at("p", rest + [indices[axis]]), indices)]]


@rule("LpNormalization")
def lp_normalization(case):
    shape, rank = case.shape(0), len(case.shape(0))
    axis, power = case.attribute("axis", -1) % rank, case.attribute("p", 2)
    indices = letters(rank)
    x = at(case.name(0), ["r" if n == axis else i for n, i in enumerate(indices)])
    total = f"(sum[r: {shape[axis]}] {'abs(' + x + ')' if power == 1 else x + '^2'})"
    size = total if power == 1 else f"sqrt{total}"
    here = at(case.name(0), indices)
    return [[define(f"if {size} == 0 then 0 else {here} / {size}", indices)]]


@rule("CumSum", "CumProd")
def cumulative(case):
    shape, rank = case.shape(0), len(case.shape(0))
    axis = int(np.ravel(case.value(1))[0]) % rank
    indices = letters(rank)
    i = indices[axis]
    order = (">" if case.attribute("reverse", 0) else "<") + ("" if case.attribute("exclusive", 0) else "=")
    x = at(case.name(0), ["r" if n == axis else j for n, j in enumerate(indices)])
    op, unit = ("sum", 0) if case.operator == "CumSum" else ("prod", 1)
    return [[define(f"{op}[r: {shape[axis]}] (if r {order} {i} then {x} else {unit})", indices)]]


@rule("MeanVarianceNormalization")
def mean_variance(case):
    axes = case.attribute("axes", [0, 2, 3])
    shape = case.shape(0)
    indices = letters(len(shape))
    rest = [i for n, i in enumerate(indices) if n not in axes]
    inner = [f"r{n}" if n in axes else i for n, i in enumerate(indices)]
    over = ranges([f"r{a}" for a in axes], [shape[a] for a in axes])
    x = case.name(0)
    return [[
        f"{at('mu', rest)} = mean[{over}] {at(x, inner)}",
        f"{at('var', rest)} = mean[{over}] ({at(x, inner)} - {at('mu', rest)})^2",
        define(f"({at(x, indices)} - {at('mu', rest)}) / (sqrt({at('var', rest)}) + 1e-9)", indices),
    ]]


@rule("TopK")
def top_k(case):
    """An element's place is the number of those that come before it."""
    shape, rank = case.shape(0), len(case.shape(0))
    axis = case.attribute("axis", -1) % rank
    n, indices = shape[axis], letters(rank)
    x = case.name(0)
    row = lambda name: at(x, [name if m == axis else i for m, i in enumerate(indices)])
    place = lambda name: at("place", [name if m == axis else i for m, i in enumerate(indices)])
    before = ">" if case.attribute("largest", 1) else "<"
    ranks = (
        f"{at('place', [i if m != axis else 'u' for m, i in enumerate(indices)])} = sum[v: {n}] "
        f"(if {row('v')} {before} {row('u')} || {row('v')} == {row('u')} && v < u then 1 else 0)"
    )
    i = indices[axis]
    values = f"sum[u: {n}] (if {place('u')} == {i} then {row('u')} else 0)"
    numbers = f"sum[u: {n}] (if {place('u')} == {i} then u else 0)"
    return [[ranks, define(values, indices)], [ranks, define(numbers, indices)]]
