"""The families that labs use, at full size with random weights, written here with the onnx package alone: all of this
library's outputs against onnxruntime's, the logit, and that of the file that it writes back.

usage: full_size.py RUN_IMPORT [FAMILY ...]
needs numpy, onnx, onnxruntime.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

TOLERANCE = 1e-4  # of the largest output


class Network:
    """A graph under construction; each method adds nodes and returns the output's name."""

    def __init__(self, size):
        self.nodes, self.weights, self.size = [], [], size
        self.random = np.random.default_rng(1)

    def constant(self, values):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def normal(self, *shape, spread):
        return self.constant(self.random.standard_normal(shape, dtype="f4") * np.float32(spread))

    def uniform(self, low, high, n):
        return self.constant(self.random.uniform(low, high, n).astype("f4"))

    def node(self, kind, *inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def conv(self, x, ci, co, kernel, stride=1, pad=None, groups=1, bias=False, same=False):
        fan_in = ci // groups * kernel**3
        inputs = [x, self.normal(co, ci // groups, *[kernel] * 3, spread=np.sqrt(2 / fan_in))]
        inputs += [self.uniform(-0.1, 0.1, co)] if bias else []
        pads = {"auto_pad": "SAME_UPPER"} if same else {"pads": [kernel // 2 if pad is None else pad] * 6}
        return self.node("Conv", *inputs, kernel_shape=[kernel] * 3, strides=[stride] * 3, group=groups, **pads)

    def norm(self, x, n, scale=1.0):
        return self.node("BatchNormalization", x, self.uniform(0.7 * scale, 1.3 * scale, n),
                         self.uniform(-0.2, 0.2, n), self.uniform(-0.2, 0.2, n), self.uniform(0.7, 1.3, n))

    def relu(self, x):
        return self.node("Relu", x)

    def swish(self, x):
        return self.node("Mul", x, self.node("Sigmoid", x))

    def linear(self, x, ci, co):
        return self.node("Gemm", x, self.normal(co, ci, spread=ci**-0.5), self.uniform(-0.1, 0.1, co), transB=1)

    def pooled_linear(self, x, ci, co):
        return self.linear(self.node("Flatten", self.node("GlobalAveragePool", x)), ci, co)

    def max_pool(self, x, kernel, stride, pad=0, **more):
        return self.node("MaxPool", x, kernel_shape=[kernel] * 3, strides=[stride] * 3, pads=[pad] * 6, **more)

    def average_pool(self, x, kernel, stride):
        return self.node("AveragePool", x, kernel_shape=list(kernel), strides=[stride] * 3)

    def excite(self, x, n, inner, activation):
        """Squeeze and excitation."""
        s = self.conv(self.node("GlobalAveragePool", x), n, inner, 1, bias=True)
        return self.node("Mul", x, self.node("Sigmoid", self.conv(activation(s), inner, n, 1, bias=True)))

    def model(self, output):
        image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["N", 1, *self.size])
        result = helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "family", [image], [result], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def plain():
    n, x, before = Network((64,) * 3), "image", 1
    for width in (16, 32, 64):
        x, before = n.max_pool(n.relu(n.norm(n.conv(x, before, width, 3, bias=True), width)), 2, 2), width
    x = n.relu(n.linear(n.node("Flatten", x), 64 * 8**3, 64))
    return n.model(n.node("LogSoftmax", n.linear(x, 64, 2), axis=1)), n.size


def densenet(blocks):
    n = Network((96,) * 3)
    x = n.max_pool(n.relu(n.norm(n.conv("image", 1, 64, 7, 2), 64)), 3, 2, 1)
    width = 64
    for i, layers in enumerate(blocks):
        for _ in range(layers):
            y = n.conv(n.relu(n.norm(x, width)), width, 128, 1)
            y = n.conv(n.relu(n.norm(y, 128)), 128, 32, 3)
            x, width = n.node("Concat", x, y, axis=1), width + 32
        if i + 1 < len(blocks):
            x = n.average_pool(n.conv(n.relu(n.norm(x, width)), width, width // 2, 1), (2, 2, 2), 2)
            width //= 2
    return n.model(n.pooled_linear(n.relu(n.norm(x, width)), width, 2)), n.size


def resnet(blocks, bottleneck, shortcut, excited=False):
    """MONAI's; shortcut A: every second voxel, and zeros for the channels that are new."""
    n = Network((64,) * 3)
    x = n.conv("image", 1, 64, 7, 2 if excited else 1)
    x = n.max_pool(n.relu(n.norm(x, 64)), 3, 2, 0 if excited else 1, **({"ceil_mode": 1} if excited else {}))
    width = 64
    for stage, count in enumerate(blocks):
        inner = 64 << stage
        outer = inner * (4 if bottleneck else 1)
        for block in range(count):
            stride = 2 if stage and not block else 1
            if bottleneck:
                first = stride if excited else 1  # where MONAI's two have their stride
                y = n.relu(n.norm(n.conv(x, width, inner, 1, first), inner))
                y = n.relu(n.norm(n.conv(y, inner, inner, 3, stride // first), inner))
                y = n.norm(n.conv(y, inner, outer, 1), outer, 0.5)
            else:
                y = n.relu(n.norm(n.conv(x, width, inner, 3, stride), inner))
                y = n.norm(n.conv(y, inner, outer, 3), outer, 0.5)
            if excited:
                y = n.excite(y, outer, outer // 16, n.relu)
            if (stride > 1 or width != outer) and shortcut == "A":
                x = n.average_pool(x, (1, 1, 1), stride)
                more = n.constant(np.array([0, 0, 0, 0, 0, 0, outer - width, 0, 0, 0], "i8"))
                x = n.node("Pad", x, more)
            elif stride > 1 or width != outer:
                x = n.norm(n.conv(x, width, outer, 1, stride), outer)
            x, width = n.relu(n.node("Add", y, x)), outer
    return n.model(n.pooled_linear(x, width, 2)), n.size


def efficientnet():
    """B0: Tan and Le 2019."""
    n = Network((96,) * 3)
    x, width = n.swish(n.norm(n.conv("image", 1, 32, 3, 2, same=True), 32)), 32
    for count, kernel, stride, expand, outer in ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
                                                 (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)):
        for block in range(count):
            inner, step = width * expand, 1 if block else stride
            y = n.swish(n.norm(n.conv(x, width, inner, 1), inner)) if expand > 1 else x
            y = n.swish(n.norm(n.conv(y, inner, inner, kernel, step, groups=inner, same=True), inner))
            y = n.excite(y, inner, max(1, width // 4), n.swish)
            y = n.norm(n.conv(y, inner, outer, 1), outer)
            x, width = n.node("Add", y, x) if block else y, outer
    return n.model(n.pooled_linear(n.swish(n.norm(n.conv(x, 320, 1280, 1), 1280)), 1280, 2)), n.size


def sfcn():
    """Peng et al. 2021, Medical Image Analysis 68: 101871."""
    n, x, before = Network((160, 192, 160)), "image", 1
    for width in (32, 64, 128, 256, 256):
        x = n.norm(n.conv(x, before, width, 3, bias=True), width)
        x, before = n.relu(n.max_pool(x, 2, 2)), width
    x = n.relu(n.norm(n.conv(x, 256, 64, 1, bias=True), 64))
    x = n.conv(n.average_pool(x, (5, 6, 5), 1), 64, 40, 1, bias=True)
    return n.model(n.node("LogSoftmax", n.node("Flatten", x), axis=1)), n.size


def vit(width=768, heads=12, layers=12, patch=16):
    n = Network((96,) * 3)
    tokens, each = 6**3, width // heads

    def product(x, ci, co):
        return n.node("Add", n.node("MatMul", x, n.normal(ci, co, spread=ci**-0.5)), n.uniform(-0.1, 0.1, co))

    def layer_norm(x):
        return n.node("LayerNormalization", x, n.uniform(0.7, 1.3, width), n.uniform(-0.2, 0.2, width), axis=-1)

    def heads_of(x):
        x = n.node("Reshape", x, n.constant(np.array([0, tokens, heads, each], "i8")))
        return n.node("Transpose", x, perm=[0, 2, 1, 3])

    x = n.conv("image", 1, width, patch, patch, pad=0, bias=True)
    x = n.node("Transpose", n.node("Reshape", x, n.constant(np.array([0, width, tokens], "i8"))), perm=[0, 2, 1])
    x = n.node("Add", x, n.normal(1, tokens, width, spread=0.5))
    for _ in range(layers):
        y = layer_norm(x)
        q, k, v = (heads_of(product(y, width, width)) for _ in range(3))
        scores = n.node("Mul", n.node("MatMul", q, n.node("Transpose", k, perm=[0, 1, 3, 2])),
                        n.constant(np.float32(each**-0.5)))
        y = n.node("Transpose", n.node("MatMul", n.node("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        y = n.node("Reshape", y, n.constant(np.array([0, tokens, width], "i8")))
        x = n.node("Add", x, product(y, width, width))
        y = product(layer_norm(x), width, 4 * width)
        half = n.node("Mul", y, n.constant(np.float32(0.5)))
        erf = n.node("Erf", n.node("Mul", y, n.constant(np.float32(2**-0.5))))
        y = n.node("Mul", half, n.node("Add", erf, n.constant(np.float32(1))))
        x = n.node("Add", x, product(y, 4 * width, width))
    first = n.node("Gather", layer_norm(x), n.constant(np.array(0, "i8")), axis=1)
    return n.model(n.linear(first, width, 2)), n.size


FAMILIES = {
    "plain": plain,
    "densenet121": lambda: densenet((6, 12, 24, 16)),
    "densenet169": lambda: densenet((6, 12, 32, 32)),
    "resnet10-A": lambda: resnet((1, 1, 1, 1), False, "A"),
    "resnet18-B": lambda: resnet((2, 2, 2, 2), False, "B"),
    "resnet34-A": lambda: resnet((3, 4, 6, 3), False, "A"),
    "resnet50-A": lambda: resnet((3, 4, 6, 3), True, "A"),
    "resnet50-B": lambda: resnet((3, 4, 6, 3), True, "B"),
    "seresnet50": lambda: resnet((3, 4, 6, 3), True, "B", True),
    "efficientnet-b0": efficientnet,
    "sfcn": sfcn,
    "vit": vit,
}


def outputs(path, image):
    z = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"image": image})[0]
    return z.reshape(len(z), -1).astype("f8")


def examine(name, program, folder):
    model, size = FAMILIES[name]()
    path, images, prefix = folder / "theirs.onnx", folder / "image.f32", folder / "ours"
    onnx.save(model, path)
    image = np.random.default_rng(2).standard_normal((1, 1, *size), dtype="f4")
    image.tofile(images)
    theirs = outputs(path, image)
    subprocess.run([program, path, "1 against 0", *map(str, size), "1", images, prefix, "0"], check=True,
                   stdout=subprocess.DEVNULL)
    ours = np.fromfile(f"{prefix}.outputs.f32", "<f4").reshape(theirs.shape).astype("f8")
    if model.graph.node[-1].op_type == "LogSoftmax":  # which the import takes off
        ours -= np.log(np.exp(ours).sum(1, keepdims=True))
    logit, back = np.fromfile(f"{prefix}.logit.f32", "<f4"), outputs(f"{prefix}.onnx", image)[:, 0]
    expected = theirs[:, 1] - theirs[:, 0]
    largest = max(np.abs(theirs).max(), np.abs(expected).max())
    pairs = (ours, theirs), (logit, expected), (back, expected)
    errors = [float(np.abs(x - y).max() / largest) for x, y in pairs]
    print(f"{name}: {theirs.shape[1]} outputs off by {errors[0]:.1e}, logit {expected[0]:.6g} by {errors[1]:.1e}, that "
          f"of the file written back by {errors[2]:.1e}", flush=True)
    return max(errors)


def main():
    names = sys.argv[2:] or list(FAMILIES)
    bad = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            if not examine(name, sys.argv[1], pathlib.Path(folder)) <= TOLERANCE:
                bad.append(name)
    if bad:
        sys.exit(f"differ by more than {TOLERANCE:.0e} of the largest output: {' '.join(bad)}")


if __name__ == "__main__":
    main()
