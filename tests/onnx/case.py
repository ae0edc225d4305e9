"""A single-operator test of ONNX, and how its parts are spelled in the language.

A rule says an operator: it takes a `Case` and gives the lines of one function body for every result.
What an operator needs while compiling (a shape, axes, paddings) it takes with `Case.value`; what it is
given at run time with `Case.name`, which makes it a parameter of the function.
"""

import numpy as np
import onnx
import onnx.numpy_helper

LETTERS = ["i", "j", "k", "l", "m", "n", "o", "p", "q"]
# Names that an input may not have: reductions, reserved words, indices and what the bodies call.
TAKEN = set(
    "sum mean prod max min argmax any all logsumexp param state if then else for in scan where fn use as or grad true"
    " false abs exp log sqrt sin cos tanh erf floor ceil round size pi inf batch out u v w a b c d e f g h r s t".split()
) | set(LETTERS)
# The widest whole number up to which single precision has every whole number.
EXACT = 1 << 24


class Unsaid(Exception):
    """The language does not say this case; the text is the reason, one of a few."""


BITS = "bits, wrap-around or integer types narrower than what the language has"
NARROW = "a type of fewer than 32 bits is the point of the test"
TEXTS = "texts"
LISTS = "sequences, optional values, graphs as attributes"
DATA_SHAPE = "the shape of the result depends on the data"
EMPTY = "an extent of zero"
RANDOM = "draws of a generator that is not stated"
FILES = "image files"
LARGE = "more than half a megabyte of numbers"
ALGEBRA = "needs linear algebra"
CANCELLING = "zeros expected to 1e-7 where single precision leaves more of cancelling terms"
NO_RULE = "no rule was written"


RULES = {}


def rule(*operators):
    """Registers a function as what says these operators."""

    def register(function):
        for operator in operators:
            RULES[operator] = function
        return function

    return register


class Case:
    """One test with one node."""

    def __init__(self, test):
        self.test = test
        self.node = test.model.graph.node[0]
        self.operator = self.node.op_type
        self.attributes = {a.name: onnx.helper.get_attribute_value(a) for a in self.node.attribute}
        given, expected = test.data_sets[0]
        self.inputs = named(self.node.input, given)
        self.outputs = named(self.node.output, expected)
        self.version = next((o.version for o in test.model.opset_import if o.domain in ("", "ai.onnx")), 0)
        self.parameters = {}
        self.kind = self.outputs[0][1].dtype.name if self.outputs[0] and hasattr(self.outputs[0][1], "dtype") else ""

    def has(self, k):
        """Whether input k is given."""
        return k < len(self.inputs) and self.inputs[k] is not None

    def value(self, k):
        """Input k as a number or list known while compiling."""
        return self.inputs[k][1] if self.has(k) else None

    def shape(self, k):
        """The extents of input k."""
        return list(self.inputs[k][1].shape)

    def attribute(self, name, otherwise=None):
        found = self.attributes.get(name, otherwise)
        return found.decode() if isinstance(found, bytes) else found

    def name(self, k, classes=None):
        """Input k as a parameter; with `classes`, whole numbers below it."""
        name, value = self.inputs[k]
        if name not in self.parameters:
            self.parameters[name] = declared(value, classes)
        return spelled(name)

    def result(self, k=0):
        """The extents of result k."""
        return list(self.outputs[k][1].shape)

    def read(self, k, indices, classes=None):
        """Input k at indices that number like numpy's broadcasting: from the last, and 0 where its extent is 1."""
        return at(self.name(k, classes), aligned(self.shape(k), indices))


def named(names, values):
    """Values by place, `None` for those left out."""
    values = iter(values)
    return [(name, unpacked(next(values))) if name else None for name in names]


def unpacked(value):
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def spelled(name):
    name = "".join(c if c.isalnum() else "_" for c in name)
    return f"{name}_in" if name in TAKEN else name


def declared(value, classes):
    """The type of a parameter."""
    kind = "" if value.dtype != bool else " of bool"
    if classes:
        kind = f" of class({classes})"
    return shape_text(value.shape) + kind


def shape_text(shape):
    return "[" + ", ".join(map(str, shape)) + "]"


def at(name, positions):
    """A read; of a scalar, its name."""
    return f"{name}[{', '.join(map(str, positions))}]" if len(positions) else name


def aligned(shape, indices):
    indices = list(indices)[len(indices) - len(shape) :] if shape else []
    return ["0" if extent == 1 else index for extent, index in zip(shape, indices)]


def letters(count, skip=()):
    """Names of indices."""
    free = [letter for letter in LETTERS if letter not in skip]
    return free[:count]


def define(value, indices):
    """The last line of a body: the result, element by element."""
    return f"{at('out', indices)} = {value}" if len(indices) else value


def elementwise(case, template, inputs):
    """A function of scalars applied to inputs that broadcast; `{0}`, `{1}` stand for their elements."""
    indices = letters(len(case.result()))
    return [[define(template.format(*(case.read(k, indices) for k in inputs)), indices)]]


def ranges(names, extents):
    """Stated ranges of reduced indices."""
    return ", ".join(f"{name}: {extent}" for name, extent in zip(names, extents))


def number(x):
    """A constant, with all digits of what ONNX stores in single precision."""
    x = float(x)
    if np.isinf(x):
        return "inf" if x > 0 else "-inf"
    text = repr(x)
    return text[:-2] if text.endswith(".0") else text


def source(case, name, body, k):
    """The function of one result."""
    parameters = ", ".join(f"{spelled(n)}: {ty}" for n, ty in case.parameters.items())
    lines = "\n".join(f"    {line}" for line in body)
    return f"fn {name}({parameters}) -> {shape_text(case.result(k))} {{\n{lines}\n}}\n"
