"""Writes the node tests of ONNX as programs of the language: `cases/OPERATOR.nn`, a function for every result of
every test that is one operator; `data.npz`, what goes in and should come out; `same.txt`, the large arrays that are
equal to others and stored once; `unsaid.txt`, the tests that the language does not say, each with the reason.

    python tests/onnx/make.py

The tests are those of the `onnx` package, by its own `collect_testcases`. Tests of several operators (most are the
expansion of one operator into others) are left out. Numbers of every type go in as they are; whole numbers and
half precision become numbers of the program's precision, whole numbers in so far as single precision has them all.
"""

import importlib
import io
import pathlib
import re
import zipfile

import numpy as np
from onnx.backend.test.case.node import collect_testcases

import case as says

HERE = pathlib.Path(__file__).parent
PARTS = ["elementwise", "reductions", "shapes", "places", "windows", "layers", "attention", "recurrent", "losses", "resize", "signals"]
LIMIT = 1 << 19
HALF = ("float16", "bfloat16")
# Rounded to bfloat16, or to half precision between two steps, which is more than the tolerance.
ROUNDED = {
    "test_attention_3d_causal_bf16",
    "test_attention_4d_attn_mask_causal_bf16",
    "test_attention_4d_causal_bf16",
    "test_attention_4d_causal_padded_kv_bf16",
    "test_attention_4d_gqa_with_past_and_present_fp16",
    "test_attention_4d_padded_kv_bf16",
    "test_celu_bfloat16",
}
# Said, but the expected zeros are nearer to zero than what is left in single precision where terms cancel.
CANCELLED = {
    "test_dft",
    "test_dft_axis",
    "test_dft_axis_opset19",
    "test_dft_inverse",
    "test_dft_inverse_opset19",
    "test_dft_opset19",
    "test_dft_rfft",
    "test_dft_rfft_opset19",
    "test_stft",
    "test_stft_with_window",
}



def plain(name, value):
    """The array as it is stored, or the reason why the language has nothing like it."""
    if not isinstance(value, np.ndarray):
        value = np.asarray(value) if np.isscalar(value) or isinstance(value, np.generic) else None
    if value is None:
        raise says.Unsaid(says.LISTS)
    kind = value.dtype.name
    if value.dtype.kind in "OUS":
        raise says.Unsaid(says.TEXTS)
    if value.dtype.kind == "c":
        raise says.Unsaid(says.NARROW)
    if kind in HALF:
        value = value.astype(np.float32)
    elif value.dtype.kind not in "fiub":
        raise says.Unsaid(says.NARROW)
    if 0 in value.shape:
        raise says.Unsaid(says.EMPTY)
    return value


def stored(value):
    """Without loss in a type that the reader has."""
    if value.dtype.kind in "iu":
        if np.abs(value.astype(np.float64)).max() > says.EXACT:
            raise says.Unsaid(says.BITS)
        return value.astype(np.int32)
    return np.ascontiguousarray(value)


def translated(test):
    """The functions of a test and their arrays."""
    case = says.Case(test)
    given, expected = test.data_sets[0]
    if len(test.data_sets) != 1:
        raise says.Unsaid(says.NO_RULE)
    if test.name in ROUNDED:
        raise says.Unsaid(says.NARROW)
    if test.name in CANCELLED:
        raise says.Unsaid(says.CANCELLING)
    if sum(np.asarray(x).nbytes for x in [*given, *expected] if isinstance(x, np.ndarray)) > LIMIT:
        raise says.Unsaid(says.LARGE)
    for entries in (case.inputs, case.outputs):
        for k, entry in enumerate(entries):
            if entry is not None:
                entries[k] = (entry[0], plain(*entry))
    if case.operator not in says.RULES:
        raise says.Unsaid(UNSAID.get(case.operator, says.NO_RULE))
    count = len(case.outputs)
    texts, arrays = [], {}
    bodies = says.RULES[case.operator](case)
    for k in range(count):
        if case.outputs[k] is None:
            continue
        name = test.name if k == 0 else f"{test.name}__{k}"
        # Each result has a function of its own, with the parameters that it mentions.
        parameters = {n: t for n, t in case.parameters.items() if mentioned(says.spelled(n), bodies[k])}
        case.parameters, all_parameters = parameters, case.parameters
        texts.append(says.source(case, name, bodies[k], k))
        case.parameters = all_parameters
        for entry in case.inputs:
            if entry and entry[0] in parameters:
                arrays[f"{name}.{says.spelled(entry[0])}"] = stored(entry[1])
        arrays[name] = stored(case.outputs[k][1])
    return texts, arrays


def mentioned(name, body):
    return any(re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", line) for line in body)


UNSAID = {
    "ImageDecoder": says.FILES,
    "If": says.LISTS,
    "Loop": says.LISTS,
    "Scan": says.LISTS,
    "SequenceMap": says.LISTS,
    "SequenceInsert": says.LISTS,
    "SplitToSequence": says.LISTS,
    "OptionalGetElement": says.LISTS,
    "OptionalHasElement": says.LISTS,
    "NonZero": says.DATA_SHAPE,
    "NonMaxSuppression": says.DATA_SHAPE,
    "Unique": says.DATA_SHAPE,
    "Compress": says.DATA_SHAPE,
    "RegexFullMatch": says.TEXTS,
    "StringConcat": says.TEXTS,
    "StringNormalizer": says.TEXTS,
    "StringSplit": says.TEXTS,
    "TfIdfVectorizer": says.NO_RULE,
    "TreeEnsemble": says.NO_RULE,
}


def shared(arrays):
    """The arrays without large ones that are there already, and which are equal to which."""
    kept, same, known = {}, {}, {}
    for name in sorted(arrays):
        array = arrays[name]
        content = (array.dtype.str, array.shape, array.tobytes())
        if array.nbytes > 4096 and content in known:
            same[name] = known[content]
        else:
            known[content] = name
            kept[name] = array
    return kept, same


def write_arrays(arrays):
    """An npz that is the same for the same numbers."""
    with zipfile.ZipFile(HERE / "data.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(arrays):
            content = io.BytesIO()
            np.lib.format.write_array(content, arrays[name], version=(1, 0))
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), content.getvalue(), zipfile.ZIP_DEFLATED)


def main():
    for part in PARTS:
        importlib.import_module(part)
    programs, arrays, unsaid = {}, {}, []
    for test in sorted(collect_testcases(None), key=lambda t: t.name):
        if len(test.model.graph.node) != 1:
            continue
        operator = test.model.graph.node[0].op_type
        assert (test.rtol, test.atol) == (1e-3, 1e-7), test.name
        try:
            texts, found = translated(test)
        except says.Unsaid as reason:
            unsaid.append(f"{operator} {test.name}: {reason}")
            continue
        programs.setdefault(operator, []).extend(texts)
        arrays.update(found)
    folder = HERE / "cases"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.nn"):
        old.unlink()
    for operator, texts in programs.items():
        head = f"// The tests of ONNX's {operator} that the language says; written by `tests/onnx/make.py`.\n\n"
        (folder / f"{operator}.nn").write_text(head + "\n".join(texts))
    arrays, same = shared(arrays)
    write_arrays(arrays)
    (HERE / "same.txt").write_text("".join(f"{name} {other}\n" for name, other in same.items()))
    (HERE / "unsaid.txt").write_text("\n".join(sorted(unsaid)) + "\n")
    print(sum(map(len, programs.values())), "functions,", len(unsaid), "tests unsaid")


if __name__ == "__main__":
    main()
