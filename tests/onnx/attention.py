"""Attention over keys that may be masked, cached, shared by groups of heads; and its linear forms."""

import numpy as np
from case import LISTS, NO_RULE, Unsaid, at, number, rule, shape_text


@rule("Attention", "FlexAttention")
def attention(case):
    if case.attribute("score_mod") or case.attribute("prob_mod"):
        raise Unsaid(LISTS)
    heads = Heads(case)
    b, h, t, s = heads.batch, heads.heads, heads.queries, heads.keys
    scores = shape_text([b, h, t, s])
    scale = case.attribute("scale")
    scale = number(scale) if scale else f"1 / sqrt({heads.size})"
    product = f"(sum[e: {heads.size}] q[b, h, t, e] * keys[b, {heads.group}, s, e])"
    lines = heads.lines + [f"score[b, h, t, s]: {scores} = {scale} * {product}"]
    cap, capped = case.attribute("softcap", 0.0), "score"
    if cap:
        lines.append(f"capped[b, h, t, s]: {scores} = {number(cap)} * tanh(score[b, h, t, s] / {number(cap)})")
        capped = "capped"
    allowed, added = masks(case, heads)
    biased = f"{capped}[b, h, t, s]{added}"
    if allowed:
        biased = f"if {' && '.join(allowed)} then {biased} else -inf"
    lines.append(f"biased[b, h, t, s]: {scores} = {biased}")
    if allowed or added:
        # A query that may see nothing sees nothing: its row is zero, not the quotient of two zeros.
        lines += [
            f"best[b, h, t] = max[s: {s}] biased[b, h, t, s]",
            f"total[b, h, t] = sum[s: {s}] (if best[b, h, t] == -inf then 1 else exp(biased[b, h, t, s] - best[b, h, t]))",
            f"p[b, h, t, s]: {scores} = if best[b, h, t] == -inf then 0 else exp(biased[b, h, t, s] - best[b, h, t]) / total[b, h, t]",
        ]
    else:
        lines.append("p[b, h, t] = softmax(biased[b, h, t])")
    value = f"sum[s: {s}] p[b, h, t, s] * values[b, {heads.group}, s, e]"
    if heads.flat:
        whole = shape_text([b, h, t, heads.out])
        body = lines + [f"y[b, h, t, e]: {whole} = {value}", "out[b, t, (h, e)] = y[b, h, t, e]"]
    else:
        body = lines + [f"out[b, h, t, e] = {value}"]
    shown = {0: "score", 1: capped, 2: "biased", 3: "p"}[case.attribute("qk_matmul_output_mode", 0)]
    copy = lambda name: heads.lines + [f"out[b, h, s, e] = {name}[b, h, s, e]"]
    return [body, copy("keys"), copy("values"), lines + [f"out[b, h, t, s] = {shown}[b, h, t, s]"]]


class Heads:
    """Queries, keys and values as [batch, head, place, feature], and the lines that make them so."""

    def __init__(self, case):
        self.flat = len(case.shape(0)) == 3
        q, k, v = case.shape(0), case.shape(1), case.shape(2)
        if self.flat:
            self.heads, own = case.attribute("q_num_heads"), case.attribute("kv_num_heads")
            self.batch, self.queries, new = q[0], q[1], k[1]
            self.size, self.out = q[2] // self.heads, v[2] // own
        else:
            self.batch, self.heads, self.queries, self.size = q
            own, new, self.out = k[1], k[2], v[3]
        self.past = case.shape(4)[2] if case.has(4) else 0
        self.keys = new + self.past
        repeated = self.heads // own
        self.group = f"floor(h / {repeated})" if repeated > 1 else "h"
        spell = (lambda name, place: f"{name}[b, {place}, (h, e)]") if self.flat else (lambda name, place: f"{name}[b, h, {place}, e]")
        self.lines = [f"q[b, h, t, e]: {shape_text([self.batch, self.heads, self.queries, self.size])} = {spell(case.name(0), 't')}"]
        for name, new_one, old, size in (("keys", 1, 4, self.size), ("values", 2, 5, self.out)):
            value = spell(case.name(new_one), "s")
            if self.past:
                later = spell(case.name(new_one), f"s - {self.past}")
                value = f"if s < {self.past} then {case.name(old)}[b, h, s, e] else {later}"
            self.lines.append(f"{name}[b, h, s, e]: {shape_text([self.batch, own, self.keys, size])} = {value}")


def masks(case, heads):
    """Conditions under which a query sees a key, and what is added to its score."""
    allowed, added = [], ""
    filled = f"{case.name(6)}[b]" if case.has(6) else None
    offset = f"{filled} - {heads.queries}" if filled else str(heads.past)
    # Where the query stands among the keys.
    place = f"t + {offset}" if offset != "0" else "t"
    if case.attribute("is_causal", 0):
        allowed.append(f"s <= {place}")
    left, right = case.attribute("left_window_size", -1), case.attribute("right_window_size", -1)
    if left >= 0:
        allowed.append(f"{place} - s <= {left}")
    if right >= 0:
        allowed.append(f"s - ({place}) <= {right}")
    if filled:
        allowed.append(f"s < {filled}")
    if case.has(3):
        shape = case.shape(3)
        indices = ["b", "h", "t", "s"][4 - len(shape) :]
        read = at(case.name(3), ["0" if n == 1 and n != heads.keys else i for i, n in zip(indices, shape)])
        short = shape[-1] < heads.keys and shape[-1] > 1
        if case.value(3).dtype == bool:
            allowed.append(f"({read} or false)" if short else read)
        else:
            added = f" + ({read} or (-inf))" if short else f" + {read}"
    return allowed, added


@rule("LinearAttention")
def linear_attention(case):
    """A state for each head, decayed, corrected, written to and read at each place."""
    b, steps, _ = case.shape(0)
    readers, heads = case.attribute("q_num_heads"), case.attribute("kv_num_heads")
    keys, values = case.shape(0)[2] // readers, case.shape(2)[2] // heads
    rule_name = case.attribute("update_rule", "gated_delta")
    q, k, v = case.name(0), case.name(1), case.name(2)
    scale = case.attribute("scale")
    scale = number(scale) if scale else f"1 / sqrt({keys})"
    shape = shape_text([b, heads, keys, values])
    start = f"{case.name(3)}[b, h, d, m]" if case.has(3) else "0 * m"
    lines = [f"state0[b, h, d, m]: {shape} = {start}"]
    per = readers // heads
    group = f"floor(g / {per})" if per > 1 else "g"
    for t in range(steps):
        old, now = f"state{t}", f"state{t + 1}"
        held = f"{old}[b, h, %s, m]"
        if "gated" in rule_name:
            each = case.shape(4)[2] == heads
            rate = f"{case.name(4)}[b, {t}, h]" if each else f"{case.name(4)}[b, {t}, (h, d)]"
            lines.append(f"kept{t}[b, h, d, m]: {shape} = exp({rate}) * {old}[b, h, d, m]")
            held = f"kept{t}[b, h, %s, m]"
        key = lambda d: f"{k}[b, {t}, h * {keys} + {d}]"
        new = f"{v}[b, {t}, (h, m)]"
        if "delta" in rule_name:
            beta = f"{case.name(5)}[b, {t}, {'h' if case.shape(5)[2] == heads else '0'}]"
            lines.append(f"read{t}[b, h, m]: {shape_text([b, heads, values])} = sum[d: {keys}] {held % 'd'} * {key('d')}")
            lines.append(f"new{t}[b, h, m]: {shape_text([b, heads, values])} = {beta} * ({new} - read{t}[b, h, m])")
            new = f"new{t}[b, h, m]"
        lines.append(f"{now}[b, h, d, m]: {shape} = {held % 'd'} + {key('d')} * {new}")
        query = f"{q}[b, {t}, g * {keys} + d]"
        lines.append(
            f"y{t}[b, g, m]: {shape_text([b, readers, values])} = {scale} * (sum[d: {keys}] {query} * {now}[b, {group}, d, m])"
        )
    read = f"y{steps - 1}[b, g, m]"
    for t in reversed(range(steps - 1)):
        read = f"if t == {t} then y{t}[b, g, m] else {read}"
    whole = shape_text([b, steps, readers, values])
    last = [f"out[b, h, d, m] = state{steps}[b, h, d, m]"]
    states = [line for line in lines if not line.startswith("y")]
    return [lines + [f"y[b, t, g, m]: {whole} = {read}", "out[b, t, (g, m)] = y[b, t, g, m]"], states + last]
