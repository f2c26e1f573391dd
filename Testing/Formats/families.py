"""The families of networks that labs use, exported by PyTorch and run by this library: outputs against onnxruntime and
PyTorch, input gradients against PyTorch, and the file that the library writes back against onnxruntime.

usage: families.py RUN_IMPORT [--folder FOLDER] [--small] [--time] [--store FOLDER] [FAMILY ...]
needs torch, monai, onnx, onnxruntime.  --small: few channels and small images.  --time: seconds and memory beside both.
--store writes what families_test.cxx reads: small files with float16 weights, and PyTorch's values in double.
"""
import argparse
import logging
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import onnx
import onnxruntime
import torch

warnings.filterwarnings("ignore")
FORWARD, GRADIENT = 1e-4, 1e-4  # relative to the largest value


def plain(channels=(16, 32, 64), size=64, outputs=1):
    layers, before = [], 1
    for width in channels:
        layers += [torch.nn.Conv3d(before, width, 3, padding=1), torch.nn.BatchNorm3d(width), torch.nn.ReLU(),
                   torch.nn.MaxPool3d(2)]
        before = width
    side = size >> len(channels)
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(before * side**3, 64), torch.nn.ReLU(),
                               torch.nn.Dropout(), torch.nn.Linear(64, outputs), torch.nn.Sigmoid())


def sfcn(channels=(32, 64, 128, 256, 256, 64), outputs=40, last=(5, 6, 5)):
    """Peng et al. 2021, Medical Image Analysis 68: 101871, as their code builds it."""
    layers, before = [], 1
    for i, width in enumerate(channels):
        final = i == len(channels) - 1
        layers += [torch.nn.Conv3d(before, width, 1 if final else 3, padding=0 if final else 1),
                   torch.nn.BatchNorm3d(width)]
        layers += [] if final else [torch.nn.MaxPool3d(2)]
        layers.append(torch.nn.ReLU())
        before = width
    return torch.nn.Sequential(*layers, torch.nn.AvgPool3d(last), torch.nn.Dropout(),
                               torch.nn.Conv3d(before, outputs, 1), torch.nn.Flatten(), torch.nn.LogSoftmax(1))


def extras():
    """What the families do not use: other activations, norms, paddings, transposed convolution, resizing."""
    class Extras(torch.nn.Module):
        def __init__(self):
            super().__init__()
            n = torch.nn
            self.first = n.Sequential(n.Conv3d(1, 8, 3, stride=2, padding=1, dilation=1, bias=False),
                                      n.GroupNorm(4, 8), n.LeakyReLU(0.2), n.Conv3d(8, 8, 3, padding=2, dilation=2,
                                                                                     groups=4), n.InstanceNorm3d(8),
                                      n.PReLU(8), n.ReflectionPad3d(1), n.Conv3d(8, 6, 3), n.ELU(), n.SELU(),
                                      n.AvgPool3d(3, 2, padding=1, ceil_mode=True), n.Hardswish())
            self.up = n.ConvTranspose3d(6, 5, 3, stride=2, padding=1, output_padding=1)
            self.norm = n.LayerNorm(5)
            self.head = n.Linear(10, 3)

        def forward(self, x):
            f = torch.nn.functional
            y = self.up(self.first(x))
            y = f.softplus(y) - torch.tanh(y) * f.hardsigmoid(y) + f.gelu(y, approximate="tanh")
            y = f.interpolate(y, scale_factor=1.5, mode="trilinear", align_corners=True)
            y = f.interpolate(y, size=(7, 9, 8), mode="nearest")
            y = self.norm(y.permute(0, 2, 3, 4, 1)).permute(0, 4, 1, 2, 3)
            a, b = y[:, :, ::2, 1:-1, :].clamp(-1, 2).split([3, 2], 1)
            y = torch.cat([a.abs().sqrt(), (b * b + 0.5).log().exp() / 2], 1)
            y = torch.cat([y.amax((2, 3, 4)), f.mish(y).mean((2, 3, 4))], 1)
            return torch.softmax(self.head(y), 1)
    return Extras()


def whole_shortcut(self, x, planes, stride, spatial_dims=3):
    """Shortcut A without MONAI's `.data`, which exporters take for a constant and gradients do not pass."""
    y = torch.nn.functional.avg_pool3d(x, 1, stride)
    return torch.cat([y, y.new_zeros(y.shape[0], planes - y.shape[1], *y.shape[2:])], 1)


def families(small):
    import monai.networks.nets as nets
    nets.ResNet._downsample_basic_block = whole_shortcut
    w = dict(spatial_dims=3)
    narrow = dict(init_features=8, growth_rate=4, block_config=(2, 2, 2, 2), bn_size=2) if small else {}
    size = 32 if small else 96

    def resnet(make, shortcut, **more):
        planes = [4, 6, 8, 12] if small else [64, 128, 256, 512]
        if small:
            block, layers = ("bottleneck", [1, 1, 1, 1]) if make is nets.resnet50 else ("basic", [1, 1, 1, 1])
            return nets.ResNet(block, layers, planes, 3, 1, num_classes=2, shortcut_type=shortcut, conv1_t_size=7,
                               conv1_t_stride=(1, 2)[shortcut == "B"])
        return make(spatial_dims=3, n_input_channels=1, num_classes=2, shortcut_type=shortcut)

    def senet():
        if not small:
            return nets.SEResNet50(spatial_dims=3, in_channels=1, num_classes=2)
        from monai.networks.blocks.squeeze_and_excitation import SEResNetBottleneck as Block
        n = torch.nn
        down = n.Sequential(n.Conv3d(4, 8, 1, stride=2, bias=False), n.BatchNorm3d(8))
        return n.Sequential(n.Conv3d(1, 4, 7, stride=2, padding=3, bias=False), n.BatchNorm3d(4), n.ReLU(),
                            n.MaxPool3d(3, stride=2, ceil_mode=True),
                            Block(3, 4, 2, 1, 2, 2, downsample=down), Block(3, 8, 2, 1, 2),
                            n.AdaptiveAvgPool3d(1), n.Flatten(), n.Linear(8, 2))

    def efficient():
        if not small:
            return nets.EfficientNetBN("efficientnet-b0", spatial_dims=3, in_channels=1, num_classes=2)
        return nets.EfficientNet(["r1_k3_s11_e1_i32_o16_se0.25", "r2_k5_s22_e2_i16_o24_se0.25"], spatial_dims=3,
                                 in_channels=1, num_classes=2, width_coefficient=0.5, image_size=size)

    def vit():
        shape = dict(hidden_size=24, mlp_dim=48, num_heads=3, num_layers=2, img_size=(16,) * 3) if small else dict(
            hidden_size=768, mlp_dim=3072, num_heads=12, num_layers=12, img_size=(96,) * 3)
        return nets.ViT(in_channels=1, patch_size=(8 if small else 16,) * 3, classification=True, num_classes=2, **shape)

    cube = (size,) * 3
    # name: network, its input's size, which output
    more = {} if small else {
        "densenet169": (lambda: nets.DenseNet169(**w, in_channels=1, out_channels=2), cube, ""),
        "resnet34b": (lambda: resnet(nets.resnet34, "B"), (64,) * 3, ""),
        "resnet50a": (lambda: resnet(nets.resnet50, "A"), (64,) * 3, "")}
    return more | {
        "plain": (lambda: plain((4, 6, 4), 32) if small else plain(), (32,) * 3 if small else (64,) * 3, ""),
        "extras": (extras, (20, 24, 22), "2"),
        "densenet121": (lambda: nets.DenseNet(**w, in_channels=1, out_channels=2, **narrow) if small else
                        nets.DenseNet121(**w, in_channels=1, out_channels=2), cube, ""),
        "resnet10a": (lambda: resnet(nets.resnet10, "A"), cube, "0 against 1"),
        "resnet18b": (lambda: resnet(nets.resnet18, "B"), cube, ""),
        "resnet50b": (lambda: resnet(nets.resnet50, "B"), (32,) * 3 if small else (64,) * 3, "1"),
        "seresnet50": (senet, (32,) * 3 if small else (64,) * 3, ""),
        "efficientnet": (efficient, cube, ""),
        "sfcn": (lambda: sfcn((4, 6, 8, 8, 8, 6), 5, (1, 1, 1)) if small else sfcn(), cube if small else (160, 192, 160),
                 "3" if small else "12"),
        "vit": (vit, (16,) * 3 if small else cube, ""),
    }


def logit_of(z, choice):
    """What include/counterwarp/onnx.h says that a choice means; z: before sigmoid or softmax."""
    if z.shape[1] == 1:
        return z[:, 0]
    words = choice.split()
    c = int(words[0]) if words else 1
    if len(words) == 3:
        return z[:, c] - z[:, int(words[2])]
    others = [k for k in range(z.shape[1]) if k != c]
    return z[:, c] - torch.logsumexp(z[:, others], 1)


def settle(net, shape):
    """Running statistics and weights as after some training: no layer's values vanish or explode."""
    torch.manual_seed(1)
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = None
            with torch.no_grad():
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.3, 0.3)
    net.train()
    for module in net.modules():
        if isinstance(module, torch.nn.Dropout):
            module.eval()
    with torch.no_grad():
        net(torch.randn(2, 1, *shape))
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = 0.1
    return net.eval()


def export(net, x, path, dynamo, keep=False):
    logging.disable(logging.WARNING)
    names = dict(input_names=["image"], output_names=["out"])
    if dynamo:
        torch.onnx.export(net, (x,), path, dynamo=True, verbose=False, **names,
                          dynamic_shapes=({0: torch.export.Dim("N", min=1, max=64)},))
    else:
        mode = torch.onnx.TrainingMode.PRESERVE if keep else torch.onnx.TrainingMode.EVAL  # keep: batch norms too
        torch.onnx.export(net, (x,), path, dynamo=False, opset_version=17, training=mode, **names,
                          dynamic_axes={"image": {0: "N"}, "out": {0: "N"}})


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count()
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def least(work, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def difference(a, b):
    return float(np.abs(a.astype("f8") - b).max() / max(np.abs(b).max(), 1e-12))


def distance(a, b):
    """Of gradients: a value that rounding carries over a ReLU's edge or to another maximum changes some of them."""
    return float(np.linalg.norm((a - b).ravel()) / max(np.linalg.norm(b.ravel()), 1e-12))


def pattern(shape):
    """Numbers within [-1, 1) that families_test.cxx can make again."""
    i = np.arange(int(np.prod(shape)), dtype=np.uint64)
    return ((i * 2654435761 % 2**32) // 256 / 2**23 - 1).astype("f4").reshape(shape)


def halve(path):
    """Weights as float16, with the Cast that the standard asks for."""
    model = onnx.load(path)
    casts = []
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > 64:
            name = tensor.name
            tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype("f2"), name + ".half"))
            casts.append(onnx.helper.make_node("Cast", [name + ".half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = casts + list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)


def logits_network(net):
    """The network without its final sigmoid or log-softmax."""
    probabilities = (torch.nn.Sigmoid, torch.nn.LogSoftmax)
    return net[:-1] if isinstance(net, torch.nn.Sequential) and isinstance(net[-1], probabilities) else net


def forward_logits(name, net, x):
    z = net(x)
    z = z[0] if isinstance(z, tuple) else z
    return torch.log(z) if name == "extras" else z  # its softmax is inside


def store(name, family, folder):
    make, shape, choice = family
    torch.manual_seed(0)
    net = settle(make(), shape).half().float()
    export(Whole(net).eval(), torch.zeros(2, 1, *shape), str(folder / f"{name}.onnx"), False, keep=True)
    halve(str(folder / f"{name}.onnx"))
    inner = logits_network(net).double()
    x = torch.tensor(pattern((2, 1, *shape)), dtype=torch.float64, requires_grad=True)
    y = logit_of(forward_logits(name, inner, x), choice)
    y.sum().backward()
    values = np.concatenate([y.detach().numpy(), x.grad.numpy().ravel()[::31]]).astype("<f4")
    values.tofile(folder / f"{name}.f32")
    return f"{name}\t{shape[0]}\t{shape[1]}\t{shape[2]}\t{choice or 'default'}\n"


def examine(name, family, program, folder, options):
    make, shape, choice = family
    torch.manual_seed(0)
    net = settle(make(), shape)
    inner = logits_network(net)
    batch = 2 if options.small else 1
    x = torch.randn(batch, 1, *shape, requires_grad=True)

    def both():
        x.grad = None
        y = logit_of(forward_logits(name, inner, x), choice)
        y.sum().backward()
        return y
    inner.double()  # rounding in the one must not count as an error of the other
    x.data = x.data.double()
    y = both()
    logit, gradient = y.detach().numpy(), x.grad.numpy()
    inner.float()
    x = x.detach().float().requires_grad_()
    both()
    own = distance(x.grad.numpy(), gradient)  # what rounding alone does, in PyTorch
    images = folder / f"{name}.f32"
    x.detach().numpy().astype("<f4").tofile(images)
    worst = 0
    for dynamo in (False, True):
        if dynamo and (options.time or options.legacy):
            continue
        path = folder / f"{name}{'-dynamo' if dynamo else ''}.onnx"
        with torch.no_grad(), open(os.devnull, "w") as nothing:
            stdout, sys.stdout = sys.stdout, nothing
            try:
                export(Whole(net).eval(), x.detach(), str(path), dynamo)
            except Exception as error:
                if not dynamo:
                    raise
                print(f"{path.name}: the exporter fails ({type(error).__name__})", file=stdout)
                continue
            finally:
                sys.stdout = stdout
        prefix = folder / f"{name}-ours"
        repeats = 5 if options.time else 1
        ran = subprocess.run([program, path, choice, *map(str, shape), str(batch), images, prefix, str(repeats)],
                             stdout=subprocess.PIPE, text=True)
        if ran.returncode:
            worst = float("inf")
            continue
        line = ran.stdout.split()
        mine = np.fromfile(f"{prefix}.logit.f32", "<f4")
        slope = np.fromfile(f"{prefix}.gradient.f32", "<f4").reshape(gradient.shape)
        onnx.checker.check_model(f"{prefix}.onnx", full_check=True)
        theirs = session(f"{prefix}.onnx").run(None, {"image": x.detach().numpy()})[0][:, 0]
        assert pathlib.Path(f"{prefix}.onnx").read_bytes() == pathlib.Path(f"{prefix}.twice.onnx").read_bytes()
        errors = difference(mine, logit), difference(mine, theirs), distance(slope, gradient)
        print(f"{path.name}: logit {logit.ravel()[0]:.5g}, off PyTorch by {errors[0]:.1e}, off onnxruntime by "
              f"{errors[1]:.1e}; gradient off by {errors[2]:.1e} (PyTorch's in float by {own:.1e})", flush=True)
        worst = max(worst, errors[0] / FORWARD, errors[1] / FORWARD, errors[2] / max(GRADIENT, 2 * own))
    if options.time:
        ort, inputs = session(path), {"image": x.detach().numpy()}
        ort.run(None, inputs)
        with torch.no_grad():
            net(x.detach())
            forward = least(lambda: net(x.detach()), 5)
        print(f"{name}\tseconds\tours {line[0]} {line[1]}\tonnxruntime {least(lambda: ort.run(None, inputs), 5):.4f}\t"
              f"pytorch {forward:.4f} {least(both, 5):.4f}\tbytes of ours {line[2]} {line[3]}", flush=True)
    return worst


class Whole(torch.nn.Module):
    """The first output of networks that give several."""
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        y = self.net(x)
        return y[0] if isinstance(y, tuple) else y


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("families", nargs="*")
    parser.add_argument("--folder")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--legacy", action="store_true", help="leave out the exporter by torch.export, which is slow")
    parser.add_argument("--store", type=pathlib.Path)
    options = parser.parse_intermixed_args()
    known = families(options.small or options.store)
    if options.store:
        options.store.mkdir(parents=True, exist_ok=True)
        lines = [store(name, known[name], options.store) for name in options.families or known]
        (options.store / "index.tsv").write_text("".join(lines))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(options.folder or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        bad = []
        for name in options.families or known:
            if not examine(name, known[name], options.program, folder, options) <= 1:
                bad.append(name)
    if bad:
        sys.exit(f"differ by more than {FORWARD:.0e} of the largest value: {' '.join(bad)}")


if __name__ == "__main__":
    main()
