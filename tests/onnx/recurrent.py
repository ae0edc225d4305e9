"""Recurrent layers, one line for every gate, one turn of a `for` for every place of the sequence."""

from case import NO_RULE, Unsaid, rule

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


@rule("RNN", "GRU", "LSTM")
def recurrent(case):
    gates, size = GATES[case.operator], case.attribute("hidden_size")
    layout = case.attribute("layout", 0)
    steps, batch = case.shape(0)[:2] if not layout else case.shape(0)[1::-1]
    features = case.shape(0)[2]
    direction = case.attribute("direction", "forward")
    if case.has(4) and (case.value(4) != steps).any() or case.attribute("activations") or case.attribute("clip"):
        raise Unsaid(NO_RULE)
    x, w, r = case.name(0), case.name(1), case.name(2)
    initial = case.name(5) if case.has(5) else None
    lines, last, cells = [], [], []
    turns = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]
    for d, backwards in enumerate(turns):
        here = f"{steps - 1} - t" if backwards else "t"
        at_step = f"{x}[j, {here}, c]" if layout else f"{x}[{here}, j, c]"

        def bias(row):
            if not case.has(3):
                return ""
            return f" + {case.name(3)}[{d}, {row}] + {case.name(3)}[{d}, {gates * size} + {row}]"

        def term(gate, name="h", apart=False):
            """What goes into a gate, before its nonlinearity; for GRU's candidate the two parts apart."""
            row = f"{gate * size} + k" if gate else "k"
            inward = f"(sum[c: {features}] {w}[{d}, {row}, c] * {at_step})"
            inner = f"(sum[m: {size}] {r}[{d}, {row}, m] * {name}[j, m])"
            if apart:
                b = case.name(3) if case.has(3) else None
                return (inward + (f" + {b}[{d}, {row}]" if b else ""), inner + (f" + {b}[{d}, {gates * size} + {row}]" if b else ""))
            return f"{inward} + {inner}{bias(row)}"

        shape = f"[{batch}, {size}]"
        start = f"{initial}[{d}]" if initial else None
        lines.append(f"h{d}[j, k]: {shape} = {initial}[{d}, j, k]" if initial else f"h{d}[j, k]: {shape} = 0 * k")
        if case.operator == "LSTM":
            state = case.name(6) if case.has(6) else None
            lines.append(f"c{d}[j, k]: {shape} = " + (f"{state}[{d}, j, k]" if state else "0 * k"))
        for step in range(steps):
            lines += turn(case, d, step, shape, size, lambda g, **more: [s.replace("- t", f"- {step}").replace("[t,", f"[{step},").replace("j, t,", f"j, {step},") for s in as_list(term(g, **more))])
        last.append([f"h{d}_{k}" if k else f"h{d}" for k in range(steps + 1)])
        cells.append(f"c{d}_{steps}")
    return results(case, turns, steps, lines, last, cells)


def as_list(value):
    return list(value) if isinstance(value, tuple) else [value]


def turn(case, d, step, shape, size, term):
    """The lines of one place of the sequence."""
    before, now = (f"h{d}_{step}" if step else f"h{d}"), f"h{d}_{step + 1}"
    tag = f"{d}_{step + 1}"
    line = lambda name, value: f"{name}[j, k]: {shape} = {value}"
    if case.operator == "RNN":
        return [line(now, f"tanh({term(0, name=before)[0]})")]
    if case.operator == "GRU":
        update, reset = term(0, name=before)[0], term(1, name=before)[0]
        lines = [line(f"z{tag}", f"sigmoid({update})"), line(f"r{tag}", f"sigmoid({reset})")]
        if case.attribute("linear_before_reset", 0):
            inward, inner = term(2, name=before, apart=True)
            lines.append(line(f"n{tag}", f"tanh({inward} + r{tag}[j, k] * ({inner}))"))
        else:
            lines.append(line(f"q{tag}", f"r{tag}[j, k] * {before}[j, k]"))
            lines.append(line(f"n{tag}", f"tanh({term(2, name=f'q{tag}')[0]})"))
        return lines + [line(now, f"(1 - z{tag}[j, k]) * n{tag}[j, k] + z{tag}[j, k] * {before}[j, k]")]
    old, new = (f"c{d}_{step}" if step else f"c{d}"), f"c{d}_{step + 1}"
    # Peepholes of the input, output and forget gates.
    peep = lambda gate, cell: f" + {case.name(7)}[{d}, {gate * size} + k] * {cell}[j, k]" if case.has(7) else ""
    return [
        line(f"i{tag}", f"sigmoid({term(0, name=before)[0]}{peep(0, old)})"),
        line(f"f{tag}", f"sigmoid({term(2, name=before)[0]}{peep(2, old)})"),
        line(f"g{tag}", f"tanh({term(3, name=before)[0]})"),
        line(new, f"f{tag}[j, k] * {old}[j, k] + i{tag}[j, k] * g{tag}[j, k]"),
        line(f"o{tag}", f"sigmoid({term(1, name=before)[0]}{peep(1, new)})"),
        line(now, f"o{tag}[j, k] * tanh({new}[j, k])"),
    ]


def results(case, turns, steps, lines, states, cells):
    """All states, the last one, and the last cell, for each direction."""
    layout = case.attribute("layout", 0)
    # By place of the sequence: a reversed direction ends at the first.
    read = lambda d, t: f"{states[d][steps - t if turns[d] else t + 1]}[j, k]"

    def chosen(index, options):
        text = options[-1]
        for n, option in reversed(list(enumerate(options[:-1]))):
            text = f"if {index} == {n} then {option} else {text}"
        return text

    by_step = [f"({chosen('d', [read(d, t) for d in range(len(turns))])})" for t in range(steps)]
    every = chosen("t", by_step)
    final = chosen("d", [f"{states[d][steps]}[j, k]" for d in range(len(turns))])
    cell = chosen("d", [f"{cells[d]}[j, k]" for d in range(len(turns))])
    whole, ends = ("out[j, t, d, k]", "out[j, d, k]") if layout else ("out[t, d, j, k]", "out[d, j, k]")
    return [lines + [f"{whole} = {every}"], lines + [f"{ends} = {final}"], lines + [f"{ends} = {cell}"]]
