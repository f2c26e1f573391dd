"""Every operator of the reader in every form that the operator sets 9 to 22 give it, on both sides of each version
where ONNX changed it: a small network around each, by this library, by onnxruntime (by ONNX's reference where that has
no such kernel), and the file that the library writes back by onnxruntime.

The outputs y of the operator are compared by their sum with drawn weights, to 1e-4 of that of absolute values.

usage: operators.py RUN_IMPORT [PART OF A CASE'S NAME ...]
       operators.py --store FOLDER    the files of Testing/Data/fuzz: every form once, in one file an operator set
needs numpy, onnx, onnxruntime.
"""
import functools
import pathlib
import subprocess
import sys
import tempfile
import typing

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

TOLERANCE = 1e-4
FIRST, LAST = 9, 22
SIZE = (6, 7, 8)  # of the image, which is read as the shape that a case asks for
CASES = []


class Network:
    """Nodes under construction.  Inputs are names, arrays (stored), tensors or None (left out)."""

    def __init__(self, opset):
        self.opset, self.nodes, self.weights = opset, [], []

    def stored(self, tensor):
        tensor.name = f"w{len(self.weights)}"
        self.weights.append(tensor)
        return tensor.name

    def name(self, x):
        if x is None or isinstance(x, str):
            return x or ""
        return self.stored(x if isinstance(x, TensorProto) else numpy_helper.from_array(np.asarray(x)))

    def __call__(self, kind, *inputs, outputs=1, **attributes):
        names = [f"v{len(self.nodes)}.{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(kind, [self.name(x) for x in inputs], names, f"node {len(self.nodes)}",
                                           **attributes))
        return names[0] if outputs == 1 else names

    def ints(self, *values):
        return np.array(values, "i8")

    def all(self, *parts):
        """Several results as one."""
        return self("Concat", *[self("Flatten", part) for part in parts], axis=1)


def case(op, form, build, first=FIRST, last=LAST, shape=(3, 4, 7, 4), batch=2):
    CASES.append((op, form, build, first, last, shape, batch))


def spread(*shape, seed=7):
    return np.random.default_rng(seed).standard_normal(shape).astype("f4")


def both(op, build, attribute_until, **more):
    """The same once with what was an attribute until an operator set, and once with an input after it."""
    case(op, "attribute", functools.partial(build, attribute=True), last=attribute_until, **more)
    case(op, "input", functools.partial(build, attribute=False), first=attribute_until + 1, **more)


# ---- windows ----

def windows():
    w, t, b = spread(4, 3, 3, 2, 3), spread(3, 2, 3, 2, 3), spread(4)
    even = spread(2, 3, 2, 4, 2)
    for rule in ("VALID", "SAME_UPPER", "SAME_LOWER"):
        for stride in (1, 2, 3):
            strides = [stride, 1, stride]
            case("Conv", f"{rule} by {stride}",
                 lambda g, x, r=rule, s=strides: g("Conv", x, w, b, auto_pad=r, strides=s))
            case("Conv", f"{rule} even by {stride}",
                 lambda g, x, r=rule, s=strides: g("Conv", x, even, auto_pad=r, strides=s, kernel_shape=[2, 4, 2]))
            for pool in ("MaxPool", "AveragePool"):
                case(pool, f"{rule} by {stride}", lambda g, x, p=pool, r=rule, s=strides: g(
                    p, x, auto_pad=r, strides=s, kernel_shape=[2, 3, 2]))
            case("AveragePool", f"{rule} by {stride}, pads counted", lambda g, x, r=rule, s=strides: g(
                "AveragePool", x, auto_pad=r, strides=s, kernel_shape=[2, 3, 4], count_include_pad=1))
            case("ConvTranspose", f"{rule} by {stride}", lambda g, x, r=rule, s=strides: g(
                "ConvTranspose", x, t, auto_pad=r, strides=s), shape=(3, 2, 7, 8))
        case("Conv", f"{rule} dilated",
             lambda g, x, r=rule: g("Conv", x, w, b, auto_pad=r, dilations=[1, 2, 1]))
    case("Conv", "no attributes", lambda g, x: g("Conv", x, w, b))
    case("Conv", "asymmetric pads", lambda g, x: g("Conv", x, w, b, pads=[0, 1, 2, 2, 0, 1], strides=[1, 2, 2]))
    case("Conv", "groups, NOTSET", lambda g, x: g("Conv", x, spread(6, 1, 2, 2, 2), auto_pad="NOTSET", group=3))
    case("ConvTranspose", "pads, output_padding", lambda g, x: g(
        "ConvTranspose", x, t, spread(2), pads=[1, 0, 1, 0, 1, 1], strides=[2] * 3, output_padding=[1, 0, 1]))
    case("ConvTranspose", "output_shape", lambda g, x: g(
        "ConvTranspose", x, t, strides=[2] * 3, output_shape=[8, 13, 9]))
    case("ConvTranspose", "output_shape, SAME_UPPER", lambda g, x: g(
        "ConvTranspose", x, t, strides=[2] * 3, output_shape=[8, 13, 8], auto_pad="SAME_UPPER"))
    case("ConvTranspose", "groups", lambda g, x: g("ConvTranspose", x, spread(3, 2, 2, 2, 2), group=3, strides=[2] * 3))
    for counted in (0, 1):
        for ceil in (0, 1):
            case("AveragePool", f"count_include_pad {counted}, ceil_mode {ceil}", lambda g, x, c=counted, m=ceil: g(
                "AveragePool", x, kernel_shape=[3, 2, 3], strides=[2, 2, 3], pads=[1, 0, 1, 1, 1, 0],
                count_include_pad=c, **({"ceil_mode": 1} if m else {})), first=10 if ceil else FIRST)
    case("AveragePool", "dilations of 1", lambda g, x: g(
        "AveragePool", x, kernel_shape=[2] * 3, dilations=[1] * 3), first=19)
    case("MaxPool", "ceil_mode", lambda g, x: g(
        "MaxPool", x, kernel_shape=[3, 2, 3], strides=[2, 2, 3], pads=[1, 0, 1, 1, 1, 0], ceil_mode=1,
        dilations=[1] * 3), first=10)
    case("MaxPool", "pads",
         lambda g, x: g("MaxPool", x, kernel_shape=[2, 3, 2], pads=[1, 0, 1, 0, 2, 0], storage_order=0))
    case("GlobalMaxPool", "", lambda g, x: g("GlobalMaxPool", x))
    case("GlobalAveragePool", "", lambda g, x: g("GlobalAveragePool", x))


# ---- sizes ----

def resizing():
    # Where an output lies in the middle between two samples, rounding decides: no factor here is such.
    scales = {"twice": [1, 1, 2, 2, 2], "by 1.5": [1, 1, 1.5, 2.65, 1], "smaller": [1, 1, 0.55, 0.35, 0.85]}
    for name, scale in scales.items():
        s = np.array(scale, "f4")
        for mode in ("nearest", "linear"):
            if name != "smaller":
                case("Upsample", f"{mode} {name}", lambda g, x, s=s, m=mode: g("Upsample", x, s, mode=m), last=9)
            case("Resize", f"of set 10, {mode} {name}", lambda g, x, s=s, m=mode: g("Resize", x, s, mode=m), 10, 10)
            for rule in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"):
                case("Resize", f"{mode} {rule} {name}", lambda g, x, s=s, m=mode, r=rule: g(
                    "Resize", x, np.zeros(0, "f4"), s, mode=m, coordinate_transformation_mode=r), first=11)
        for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
            case("Resize", f"nearest, {rounding} {name}", lambda g, x, s=s, r=rounding: g(
                "Resize", x, None, s, mode="nearest", nearest_mode=r), first=13)
        case("Resize", f"nearest as PyTorch exports it, {name}", lambda g, x, s=s: g(
            "Resize", x, None, s, mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric"),
             first=13)
    sizes = np.array([2, 3, 5, 4, 9], "i8")
    for mode in ("nearest", "linear"):
        case("Resize", f"sizes, {mode}", lambda g, x, m=mode: g("Resize", x, None, None, sizes, mode=m), first=13)
    case("Resize", "sizes of set 11", lambda g, x: g(
        "Resize", x, np.zeros(0, "f4"), np.zeros(0, "f4"), sizes, mode="linear"), first=11, last=12)


# ---- norms, products, reductions ----

def norms():
    s = [spread(3, seed=k) for k in range(3)] + [np.abs(spread(3)) + np.float32(0.5)]
    case("BatchNormalization", "", lambda g, x: g("BatchNormalization", x, *s, epsilon=1e-3, momentum=0.8))
    case("BatchNormalization", "training_mode 0",
         lambda g, x: g("BatchNormalization", x, *s, training_mode=0), first=14)
    case("InstanceNormalization", "", lambda g, x: g("InstanceNormalization", x, s[0], s[1], epsilon=1e-2))
    for axis in (-1, 2):
        shape = (7, 8) if axis == 2 else (8,)
        case("LayerNormalization", f"axis {axis}", lambda g, x, a=axis, n=shape: g(
            "LayerNormalization", x, spread(*n), spread(*n, seed=1), axis=a), first=17, shape=(6, 7, 8))
    case("LayerNormalization", "no bias", lambda g, x: g("LayerNormalization", x, spread(4)), first=17)
    case("GroupNormalization", "scale of groups", lambda g, x: g(
        "GroupNormalization", x, spread(2), spread(2, seed=1), num_groups=2), first=18, last=20, shape=(6, 2, 7, 4))
    case("GroupNormalization", "scale of channels", lambda g, x: g(
        "GroupNormalization", x, spread(6), spread(6, seed=1), num_groups=2, epsilon=1e-2), first=21,
         shape=(6, 2, 7, 4))
    for op in ("Softmax", "LogSoftmax"):
        case(op, "no axis", lambda g, x, o=op: g(o, x))
        case(op, "no axis, matrix", lambda g, x, o=op: g(o, x), shape=(336,))
        for axis in (1, 2, 4):
            case(op, f"axis {axis}", lambda g, x, o=op, a=axis: g(o, x, axis=a))
        for axis in (-1, -2):
            case(op, f"axis {axis}", lambda g, x, o=op, a=axis: g(o, x, axis=a), first=11)


def products():
    w, b = spread(48, 5), spread(5)
    matrix = dict(shape=(7, 48))

    def gemm(g, x, bias=b, **more):
        return g("Gemm", g("Flatten", g("ReduceMax", x, axes=[1], keepdims=0)), w.T.copy() if "transB" in more else w,
                 *([] if bias is None else [bias]), **more)
    case("Gemm", "", gemm, last=17, **matrix)
    case("Gemm", "transB, alpha, beta", functools.partial(gemm, transB=1, alpha=0.5, beta=2.0), last=17, **matrix)
    case("Gemm", "bias of one number", functools.partial(gemm, bias=spread(1)), last=17, **matrix)
    case("Gemm", "bias of a row", functools.partial(gemm, bias=spread(1, 5), beta=0.5), last=17, **matrix)
    case("Gemm", "no bias", functools.partial(gemm, bias=None), first=11, last=17, **matrix)
    case("MatMul", "stored", lambda g, x: g("MatMul", x, w), shape=(7, 48))
    case("MatMul", "of two", lambda g, x: g("MatMul", x, g("Transpose", x, perm=[0, 2, 1])), shape=(7, 48))
    case("Einsum", "", lambda g, x: g("Einsum", x, x, equation="nid,njd->nij"), first=12, shape=(7, 48))


def reductions():
    for op, until in (("ReduceMean", 17), ("ReduceSum", 12), ("ReduceMax", 17)):
        def reduce(g, x, attribute, op=op, axes=(2, 4), **more):
            return g(op, x, axes=list(axes), **more) if attribute else g(op, x, g.ints(*axes), **more)
        both(op, reduce, until)
        both(op, functools.partial(reduce, keepdims=0), until)
        both(op, functools.partial(reduce, axes=(2, 3, 4)), until)
        case(op, "negative attribute", functools.partial(reduce, attribute=True, axes=(-1, 1)), first=11, last=until)
        case(op, "negative input", functools.partial(reduce, attribute=False, axes=(-1, 1)), first=until + 1)
        case(op, "no axes", lambda g, x, op=op: g(op, x), batch=1)
        case(op, "noop_with_empty_axes", lambda g, x, op=op: g(op, x, noop_with_empty_axes=1), first=until + 1)


# ---- element by element ----

def elements():
    plain = {"Relu": 9, "Sigmoid": 9, "Tanh": 9, "Softplus": 9, "Softsign": 9, "Erf": 9, "Exp": 9, "Abs": 9, "Neg": 9,
             "LeakyRelu": 9, "Elu": 9, "Selu": 9, "HardSigmoid": 9, "HardSwish": 14, "Mish": 18, "Gelu": 20}
    for op, first in plain.items():
        case(op, "", lambda g, x, o=op: g(o, x), first=first)
    case("LeakyRelu", "alpha", lambda g, x: g("LeakyRelu", x, alpha=0.3))
    case("Elu", "alpha", lambda g, x: g("Elu", x, alpha=0.3))
    case("Selu", "alpha, gamma", lambda g, x: g("Selu", x, alpha=1.2, gamma=0.7))
    case("HardSigmoid", "alpha, beta", lambda g, x: g("HardSigmoid", x, alpha=0.4, beta=0.3))
    case("PRelu", "", lambda g, x: g("PRelu", x, spread(3, 1, 1, 1)))
    case("Gelu", "tanh", lambda g, x: g("Gelu", x, approximate="tanh"), first=20)
    case("Gelu", "none", lambda g, x: g("Gelu", x, approximate="none"), first=20)
    for op in ("Sqrt", "Log", "Reciprocal"):
        case(op, "", lambda g, x, o=op: g(o, g("Add", g("Abs", x), np.float32(0.1))))
    for op in ("Add", "Sub", "Mul", "Min", "Max"):
        case(op, "of a channel's number", lambda g, x, o=op: g(o, x, spread(3, 1, 1, 1)))
        case(op, "of two", lambda g, x, o=op: g(o, x, g("Tanh", x)))
    case("Div", "", lambda g, x: g("Div", x, np.abs(spread(4)) + np.float32(0.5)))
    for op in ("Min", "Max", "Sum"):
        case(op, "of three", lambda g, x, o=op: g(o, x, g("Neg", x), g("Tanh", x)))
        case(op, "of one", lambda g, x, o=op: g(o, x))
    for power in (2, 0.5, 3, -1, 1.5, 1):
        case("Pow", f"{power}", lambda g, x, p=power: g("Pow", g("Add", g("Abs", x), np.float32(0.2)), np.float32(p)))
    case("Pow", "whole, of negative numbers", lambda g, x: g("Pow", x, np.array([3], "f4")))
    case("Pow", "a channel's", lambda g, x: g("Pow", g("Abs", x), np.abs(spread(3, 1, 1, 1))))
    case("Pow", "of a number", lambda g, x: g("Pow", np.float32(1.7), x))
    for kind in ("i8", "i4", "f8"):
        case("Pow", f"exponent {kind}", lambda g, x, k=kind: g("Pow", x, np.array(2, k)), first=12)
    case("Clip", "attributes", lambda g, x: g("Clip", x, min=-0.5, max=0.25), last=10)
    case("Clip", "attribute min", lambda g, x: g("Clip", x, min=-0.5), last=10)
    case("Clip", "attribute max", lambda g, x: g("Clip", x, max=0.25), last=10)
    case("Clip", "nothing", lambda g, x: g("Clip", x))
    low, high = np.float32(-0.5), np.float32(0.25)
    case("Clip", "inputs", lambda g, x: g("Clip", x, low, high), first=11)
    case("Clip", "input min", lambda g, x: g("Clip", x, low), first=11)
    case("Clip", "input max", lambda g, x: g("Clip", x, None, high), first=11)
    case("Clip", "inputs of Constant", lambda g, x: g(
        "Clip", x, g("Constant", value=numpy_helper.from_array(low)), g("Constant", value_float=0.25)), first=12)
    for op in ("Greater", "Less"):
        case(op, "", lambda g, x, o=op: g("Where", g(o, x, np.float32(0.1)), x, np.float32(-2)))
    case("Where", "stored", lambda g, x: g("Where", spread(7, 4) > 0, x, g("Neg", x)))


# ---- what moves values ----

def moves():
    def cut(g, x, attribute, axes=(2, 4), starts=(1, -3), ends=(3, 2**31 - 1)):
        if attribute:
            return g("Slice", x, starts=starts, ends=ends, **({"axes": axes} if axes else {}))
        return g("Slice", x, g.ints(*starts), g.ints(*ends), *([g.ints(*axes)] if axes else []))
    both("Slice", cut, 9)
    both("Slice", functools.partial(cut, axes=None, starts=(0, 1, 1), ends=(2**31 - 1, 3, -1)), 9)
    case("Slice", "steps", lambda g, x: g(
        "Slice", x, g.ints(3, 0), g.ints(-2**62, 2**62), g.ints(2, 3), g.ints(-2, 3)), first=10)
    case("Slice", "int32, negative axes", lambda g, x: g(
        "Slice", x, *[np.array(v, "i4") for v in ([1, 0], [9, -1], [-1, -3], [2, 1])]), first=10)

    def split(g, x, attribute, sizes=(1, 4, 2)):
        parts = g("Split", x, outputs=len(sizes), axis=3, split=sizes) if attribute else g(
            "Split", x, g.ints(*sizes), outputs=len(sizes), axis=3)
        return g.all(parts[2], parts[0], g("Neg", parts[1]))
    both("Split", split, 12)
    case("Split", "equal", lambda g, x: g.all(*g("Split", x, outputs=2, axis=2)[::-1]), last=17)
    case("Split", "negative axis", lambda g, x: g.all(*g("Split", x, outputs=2, axis=-3)[::-1]), first=11, last=17)
    for parts in (2, 3):
        case("Split", f"num_outputs {parts}", lambda g, x, n=parts: g.all(
            *g("Split", x, outputs=n, axis=3, num_outputs=n)[::-1]), first=18)

    def squeeze(g, x, attribute, axes=(2, 4)):
        y = g("Squeeze", x, axes=axes) if attribute else g("Squeeze", x, g.ints(*axes))
        return g("Softmax", y, axis=2)  # the axis shows the rank
    both("Squeeze", squeeze, 12, shape=(6, 1, 56, 1))
    case("Squeeze", "negative attribute", functools.partial(squeeze, attribute=True, axes=(-1, 2)), first=11, last=12,
         shape=(6, 1, 56, 1))
    case("Squeeze", "negative input", functools.partial(squeeze, attribute=False, axes=(-1, 2)), first=13,
         shape=(6, 1, 56, 1))
    case("Squeeze", "no axes", lambda g, x: g("Softmax", g("Squeeze", x), axis=2), shape=(6, 1, 56, 1))

    def unsqueeze(g, x, attribute, axes=(1, 4)):
        y = g("Unsqueeze", x, axes=axes) if attribute else g("Unsqueeze", x, g.ints(*axes))
        return g("Transpose", y, perm=[0, 3, 1, 4, 2])
    both("Unsqueeze", unsqueeze, 12, shape=(6, 56))
    case("Unsqueeze", "negative attribute", functools.partial(unsqueeze, attribute=True, axes=(-1, 1)), first=11,
         last=12, shape=(6, 56))
    case("Unsqueeze", "negative input", functools.partial(unsqueeze, attribute=False, axes=(-1, 1)), first=13,
         shape=(6, 56))

    around = [0, 0, 1, 0, 2, 0, 0, 0, 1, 1]
    for mode in ("constant", "reflect", "edge"):
        case("Pad", f"attributes, {mode}", lambda g, x, m=mode: g("Pad", x, pads=around, mode=m, value=0.7), last=10)
        case("Pad", f"inputs, {mode}", lambda g, x, m=mode: g(
            "Pad", x, g.ints(*around), *([np.float32(0.7)] if m == "constant" else []), mode=m), first=11)
    case("Pad", "no mode, negative, attributes",
         lambda g, x: g("Pad", x, pads=[0, 0, -1, 0, 2, 0, 0, 1, -2, 0]), last=10)
    case("Pad", "no mode, negative, inputs", lambda g, x: g("Pad", x, g.ints(0, 0, -1, 0, 2, 0, 0, 1, -2, 0)), first=11)
    case("Pad", "axes", lambda g, x: g("Pad", x, g.ints(1, 2, 0, 1), np.float32(0.7), g.ints(4, -3)), first=18)
    case("Pad", "axes, no value",
         lambda g, x: g("Pad", x, g.ints(1, 2, 0, 1), None, g.ints(4, -3), mode="edge"), first=18)
    case("Pad", "wrap", lambda g, x: g("Pad", x, g.ints(*around), mode="wrap"), first=19)

    case("Reshape", "0 and -1", lambda g, x: g("Softmax", g("Reshape", x, g.ints(0, -1, 0, 7)), axis=3))
    case("Reshape", "-1 for the batch", lambda g, x: g("Softmax", g("Reshape", x, g.ints(-1, 8, 42)), axis=2))
    case("Reshape", "allowzero",
         lambda g, x: g("Softmax", g("Reshape", x, g.ints(-1, 8, 42), allowzero=1), axis=2), first=14)
    case("Reshape", "by Shape", lambda g, x: g("Softmax", g("Reshape", x, g("Concat", g(
        "Slice", g("Shape", x), g.ints(0), g.ints(1)), g.ints(12, 28), axis=0)), axis=2), first=10)
    case("Shape", "start, end", lambda g, x: g("Softmax", g("Reshape", x, g(
        "Concat", g("Shape", x, start=0, end=2), g.ints(-1), g("Shape", x, start=-1), axis=0)), axis=2), first=15)
    case("Flatten", "", lambda g, x: g("Softmax", g("Flatten", x), axis=1))
    case("Flatten", "negative axis", lambda g, x: g("Softmax", g("Flatten", x, axis=-4), axis=1), first=11)
    case("Transpose", "", lambda g, x: g("Transpose", x, perm=[0, 4, 2, 1, 3]))
    case("Concat", "", lambda g, x: g("Concat", x, g("Neg", x), axis=2))
    case("Concat", "negative axis", lambda g, x: g("Concat", x, g("Neg", x), axis=-1), first=11)
    case("Concat", "of ten", lambda g, x: g("Concat", *[x] * 9, g("Neg", x), axis=1))
    case("Gather", "one", lambda g, x: g("Gather", x, np.array(2, "i8"), axis=3))
    case("Gather", "some, int32", lambda g, x: g("Gather", x, np.array([3, 0, 3, 5], "i4"), axis=3))
    case("Gather", "negative", lambda g, x: g("Gather", x, np.array([-1, 1], "i8"), axis=-1), first=11)
    case("Expand", "", lambda g, x: g("Expand", x, g.ints(1, 3, 5, 112, 2)), shape=(3, 1, 112, 1))
    case("Expand", "shorter", lambda g, x: g("Expand", x, g.ints(5, 1, 2)), shape=(3, 1, 112, 1))
    case("Identity", "", lambda g, x: g("Identity", g("Tanh", x)))


# ---- constants and types ----

def listed(kind, values):
    """A tensor whose numbers are in its typed list, not in bytes."""
    tensor = TensorProto(data_type=kind, dims=[len(values)])
    bits = {TensorProto.FLOAT16: lambda v: int(v.astype("f2").view("u2")),
            TensorProto.BFLOAT16: lambda v: int(v.view("u4")) >> 16}
    if kind in bits:
        tensor.int32_data.extend(bits[kind](v) for v in values)
    else:
        lists = {TensorProto.FLOAT: "float_data", TensorProto.DOUBLE: "double_data", TensorProto.INT64: "int64_data"}
        whole = kind not in (TensorProto.FLOAT, TensorProto.DOUBLE)
        getattr(tensor, lists.get(kind, "int32_data")).extend(int(v) if whole else float(v) for v in values)
    return tensor


def raw(kind, values):
    types = {TensorProto.FLOAT: "<f4", TensorProto.DOUBLE: "<f8", TensorProto.FLOAT16: "<f2", TensorProto.INT64: "<i8",
             TensorProto.INT32: "<i4", TensorProto.INT8: "i1", TensorProto.UINT8: "u1", TensorProto.BOOL: "?"}
    data = (values.view("<u4") >> 16).astype("<u2") if kind == TensorProto.BFLOAT16 else values.astype(types[kind])
    return TensorProto(data_type=kind, dims=[len(values)], raw_data=data.tobytes())


def constants():
    numbers, whole = np.array([0.75, -1.5, 3, 0.0625], "f4"), np.array([3, 1, 0, 7], "f4")
    for name in ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "INT64", "INT32", "INT8", "UINT8", "BOOL"):
        kind = getattr(TensorProto, name)
        values = numbers if "FLOAT" in name or name == "DOUBLE" else whole != 0 if name == "BOOL" else whole
        if name == "INT8":
            values = values - 2
        for make in (listed, raw):
            case("Cast", f"of {name}, {make.__name__}", lambda g, x, k=kind, v=values, m=make: g(
                "Mul", x, g("Cast", m(k, np.asarray(v, "f4")), to=TensorProto.FLOAT)),
                 first=13 if name == "BFLOAT16" else FIRST)
    case("Cast", "there and back", lambda g, x: g("Cast", g("Tanh", g("Cast", x, to=TensorProto.DOUBLE)),
                                                  to=TensorProto.FLOAT))
    case("Cast", "of truth", lambda g, x: g("Mul", x, g("Cast", g("Less", x, np.float32(0.3)), to=TensorProto.FLOAT)))
    case("Cast", "saturate", lambda g, x: g("Cast", x, to=TensorProto.FLOAT, saturate=1), first=19)
    case("Constant", "value", lambda g, x: g("Mul", x, g("Constant", value=numpy_helper.from_array(numbers))))
    case("Constant", "value_float", lambda g, x: g("Mul", x, g("Constant", value_float=0.3)), first=12)
    case("Constant", "value_floats", lambda g, x: g("Mul", x, g("Constant", value_floats=numbers.tolist())), first=12)
    case("Constant", "value_int", lambda g, x: g("Gather", x, g("Constant", value_int=2), axis=3), first=12)
    case("Constant", "value_ints", lambda g, x: g("Gather", x, g("Constant", value_ints=[2, 0]), axis=3), first=12)
    for dims in ([4], [3, 1, 1, 1]):
        case("ConstantOfShape", f"{dims}", lambda g, x, d=dims: g("Mul", x, g(
            "ConstantOfShape", g.ints(*d), value=helper.make_tensor("", TensorProto.FLOAT, [1], [0.7]))))
    case("ConstantOfShape", "no value, of the image", lambda g, x: g("Sub", g("ConstantOfShape", g("Shape", x)), x))
    case("Range", "", lambda g, x: g("Gather", x, g("Range", np.array(6, "i8"), np.array(0, "i8"), np.array(-2, "i8")),
                                     axis=3), first=11)
    case("Floor", "of sizes", lambda g, x: g("Reshape", x, g("Cast", g("Floor", g("Mul", g("Cast", g.ints(
        -1, 8, 42), to=TensorProto.FLOAT), np.array([1, 0.5, 2.01], "f4"))), to=TensorProto.INT64)))
    case("Ceil", "of sizes", lambda g, x: g("Reshape", x, g("Cast", g("Ceil", g("Div", g("Cast", g.ints(
        -1, 8, 84), to=TensorProto.FLOAT), np.array([1, 2, 1.01], "f4"))), to=TensorProto.INT64)))
    case("Equal", "",
         lambda g, x: g("Where", g("Equal", np.array([1, 2, 3, 2], "i8"), np.array(2, "i8")), x, np.float32(1)))

    def dropout(g, x, *more, outputs=1, **attributes):
        y = g("Dropout", g("Tanh", x), *more, outputs=outputs, **attributes)
        return y if outputs == 1 else y[0]
    case("Dropout", "", dropout)
    case("Dropout", "with mask", functools.partial(dropout, outputs=2))
    case("Dropout", "ratio", functools.partial(dropout, ratio=0.3), last=11)
    case("Dropout", "ratio, with mask", functools.partial(dropout, ratio=0.3, outputs=2), last=11)
    case("Dropout", "inputs, with mask",
         lambda g, x: dropout(g, x, np.float32(0.3), np.array(False), outputs=2), first=12)
    case("Dropout", "no ratio", lambda g, x: dropout(g, x, None, np.array(False)), first=12)


# ---- running ----

VERSIONS = {}
for schema in onnx.defs.get_all_schemas_with_history():
    if schema.domain == "":
        VERSIONS.setdefault(schema.name, set()).add(schema.since_version)


def opsets(op, first, last, edges):
    """The ends, and with edges both sides of each version in between."""
    inside = [v for v in VERSIONS[op] if first < v <= last] if edges else []
    return sorted({first, last, *inside, *(v - 1 for v in inside)})


MEANINGS = {"Softmax", "LogSoftmax", "Resize", "AveragePool"}  # that changed while the form did not


def all_runs():
    """Most versions only widen the types: an operator's first form goes over all of them, others over their ends."""
    seen, runs = set(), []
    for op, form, build, first, last, shape, batch in CASES:
        edges = op in MEANINGS or op not in seen
        runs += [Run(op, form, build, opset, shape, batch, opset == last) for opset in opsets(op, first, last, edges)]
        seen.add(op)
    return runs


def model_of(build, opset, shape):
    g = Network(opset)
    y = build(g, g("Reshape", "image", g.ints(0, *shape)))
    inside = helper.make_tensor_value_info(y, TensorProto.FLOAT, None)
    probe = helper.make_graph(g.nodes, "probe", [image()], [inside], g.weights)
    return g, probe, y


def image():
    return helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, *SIZE])


def wrapped(graph, opset):
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=min(9, 4 + opset // 3))


def evaluate(model, images):
    """(outputs, by whom)"""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, {"image": images}), "onnxruntime"
    except Exception as error:
        if "NOT_IMPLEMENTED" not in str(error) and "Dilation not supported" not in str(error):
            raise
        return ReferenceEvaluator(model).run(None, {"image": images}), "reference"


class Run(typing.NamedTuple):
    op: str
    form: str
    build: typing.Callable
    opset: int
    shape: tuple
    batch: int
    back: bool  # whether the file that is written back runs in onnxruntime, too: once for a form

    def __str__(self):
        return f"{self.op}, {self.form or 'as it is'}, operator set {self.opset}"


def prepare(run, stem):
    """The files that run_import reads; (images, sums, their scale, by whom)"""
    images = np.random.default_rng(3).standard_normal((run.batch, 1, *SIZE)).astype("f4")
    g = Network(run.opset)
    y = run.build(g, g("Reshape", "image", g.ints(0, *run.shape)))
    outputs = [helper.make_tensor_value_info(y, TensorProto.FLOAT, None)]
    image = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, *SIZE])]

    def model():
        return helper.make_model(helper.make_graph(g.nodes, "case", image, outputs, g.weights), ir_version=9,
                                 opset_imports=[helper.make_opsetid("", run.opset)])
    [theirs, *_], by = evaluate(model(), images)
    theirs = theirs.reshape(run.batch, -1).astype("f8")
    assert np.isfinite(theirs).all() and theirs.any(), "the values say nothing"
    assert theirs.size == 1 or theirs.std() > 0, "all values are the same"
    # A sum with drawn weights stands behind the operator: whatever is wrong anywhere changes it.
    weights = spread(theirs.shape[1], 1, seed=5)
    g.nodes.append(helper.make_node("Gemm", [g("Flatten", y), g.name(weights), g.name(np.zeros(1, "f4"))], ["sum"]))
    outputs = [helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["N", 1])]
    onnx.save(model(), f"{stem}.theirs.onnx")
    images.tofile(f"{stem}.image")
    return images, theirs @ weights[:, 0], (np.abs(theirs) @ np.abs(weights)).max(), by


def difference(run, stem, images, expected, scale):
    found = [np.fromfile(f"{stem}.logit.f32", "<f4")]
    if run.back:
        found.append(evaluate(onnx.load(f"{stem}.onnx"), images)[0][0][:, 0])
    return max(float(np.abs(x - expected).max() / scale) for x in found)


def compare(program, runs, folder):
    """For each run its difference and who gave the values, or infinity and what failed."""
    results, prepared = [None] * len(runs), {}
    for i, run in enumerate(runs):
        try:
            prepared[i] = prepare(run, folder / str(i))
        except Exception as error:
            results[i] = float("inf"), f"{type(error).__name__}: {str(error)[:300]}"
    lines = ["\t".join([f"{folder / str(i)}.theirs.onnx", "", *map(str, SIZE), str(runs[i].batch),
                        f"{folder / str(i)}.image", str(folder / str(i))]) + "\n" for i in prepared]
    ran = subprocess.run([program, "-"], input="".join(lines), stdout=subprocess.PIPE, text=True)
    answers = ran.stdout.splitlines()
    assert len(answers) == len(prepared), f"{len(answers)} of {len(prepared)} answers, ended with {ran.returncode}"
    for (i, (images, expected, scale, by)), answer in zip(prepared.items(), answers):
        if answer.startswith("failed: "):
            results[i] = float("inf"), answer
        else:
            results[i] = difference(runs[i], folder / str(i), images, expected, scale), by
    return results


def store(folder):
    """The forms in turn to the sets that they are valid in; behind each the mean of its values, then their sum."""
    chosen = {opset: [] for opset in range(FIRST, LAST + 1)}
    for op, form, build, first, last, shape, batch in CASES:
        opset = min(range(first, last + 1), key=lambda k: len(chosen[k]))
        chosen[opset].append((build, shape))
    for opset, forms in chosen.items():
        g, means = Network(opset), []
        for build, shape in forms:
            y = g("Flatten", build(g, g("Reshape", "image", g.ints(0, *shape))))
            means.append(g("ReduceMean", y, axes=[1]) if opset < 18 else g("ReduceMean", y, g.ints(1)))
        g.nodes.append(helper.make_node("Sum", means, ["out"]))
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, *SIZE])
        out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", 1])
        graph = helper.make_graph(g.nodes, "forms", [image], [out], g.weights)
        onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", opset)]),
                  f"{folder}/forms-{opset:02}.onnx")


def main():
    for fill in (windows, resizing, norms, products, reductions, elements, moves, constants):
        fill()
    if sys.argv[1] == "--store":
        return store(sys.argv[2])
    runs = [run for run in all_runs() if all(part in str(run) for part in sys.argv[2:])]
    with tempfile.TemporaryDirectory() as folder:
        results = compare(sys.argv[1], runs, pathlib.Path(folder))
    good = [(run, *result) for run, result in zip(runs, results) if result[0] <= TOLERANCE]
    others = {f"{run.op}, {run.form}" for run, _, by in good if by != "onnxruntime"}
    print(f"{len({(r.op, r.form) for r in runs})} forms of {len({r.op for r in runs})} operators, {len(runs)} files: "
          f"largest difference {max((g[1] for g in good), default=0):.1e}; by ONNX's reference: "
          f"{'; '.join(sorted(others)) or 'none'}")
    if len(good) < len(runs):
        sys.exit("\n".join(f"{run}: {off:.1e} {why}" for run, (off, why) in zip(runs, results) if not off <= TOLERANCE))


if __name__ == "__main__":
    main()
