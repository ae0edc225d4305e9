"""Cross-entropies over classes, with weights and a label that is left out."""

from case import at, define, letters, ranges, rule


@rule("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss")
def cross_entropy(case):
    shape, target = case.shape(0), case.value(1)
    classes, ignored = shape[1], case.attribute("ignore_index")
    rest = letters(len(shape) - 1)
    read = lambda k: at(case.name(0), [rest[0], k] + rest[1:])
    x, lines = read, []
    if case.operator == "SoftmaxCrossEntropyLoss":
        lines = [f"{at('total', rest)} = logsumexp[c: {classes}] {read('c')}"]
        x = lambda k: f"{read(k)} - {at('total', rest)}"
    inside = target.min() >= 0 and target.max() < classes
    label = at(case.name(1, classes if inside else None), rest)
    weight = None
    if inside:
        loss = f"-({x(label)})"
        weight = f"{case.name(2)}[{label}]" if case.has(2) else "1"
    else:
        loss = f"-(sum[c: {classes}] (if c == {label} then {x('c')} else 0))"
        weight = f"(sum[c: {classes}] (if c == {label} then {case.name(2)}[c] else 0))" if case.has(2) else "1"
    if ignored is not None:
        weight = f"(if {label} == {ignored} then 0 else {weight})"
    extents = [shape[0]] + shape[2:]
    bodies = [reduced(case.attribute("reduction", "mean"), lines, loss, weight, rest, extents)]
    if len(case.outputs) > 1:
        indices = [rest[0], "c"] + rest[1:]
        bodies.append(lines + [define(x("c"), indices)])
    return bodies


def reduced(reduction, lines, loss, weight, rest, extents):
    weighted = loss if weight == "1" else f"{weight} * ({loss})"
    if reduction == "none":
        return lines + [define(weighted, rest)]
    over = ranges(rest, extents)
    lines = lines + [f"{at('loss', rest)}: {extents} = {weighted}"]
    if reduction == "sum":
        return lines + [f"sum[{over}] {at('loss', rest)}"]
    if weight == "1":
        return lines + [f"mean[{over}] {at('loss', rest)}"]
    lines.append(f"{at('weight', rest)}: {extents} = {weight}")
    return lines + [f"(sum[{over}] {at('loss', rest)}) / (sum[{over}] {at('weight', rest)})"]
