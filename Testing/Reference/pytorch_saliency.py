"""Stored saliency maps: captum, pytorch-grad-cam and plain PyTorch, float64, from the formulas of pytorch_networks.py.

    python Testing/Reference/pytorch_saliency.py [--out Testing/Data/saliency] [--search]

Writes index.tsv and values.f32 as pytorch_networks.py does; a map is stored as its digest.  Needs torch, captum and
grad-cam.  Who computes what:
  captum            gradient, gradient x input, integrated gradients, guided backprop, GradCAM, occlusion,
                    LRP-epsilon, LRP z+ (on `plain`, where its rule, positive weights alone, is the same)
  pytorch-grad-cam  GradCAM++'s weights; its 1e-6 in the denominator asks for large gradients, hence SCALE
  the lines below   FullGrad, RectGrad, LRP z+ with positive products, the box rule
Networks: the reference classifier at 32^3; `plain` (no bias, no batch norm), `residual` and `dense` at 16^3, whose
layers the C++ test builds again.
"""
import argparse
import os
import warnings

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from captum.attr import (LRP, GuidedBackprop, InputXGradient, IntegratedGradients, LayerGradCam, Occlusion, Saliency)
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule
from pytorch_grad_cam.grad_cam_plusplus import GradCAMPlusPlus

from pytorch_networks import Values, image, parameter

warnings.filterwarnings('ignore')
SCALE = 1000.0  # of the last layer's weights, for GradCAM++


class Named(nn.Module):
    """Layers whose parameters follow the formulas by their names."""

    def __init__(self):
        super().__init__()
        self.filled = []  # (layer, which of its tensors, the parameter's name)

    def conv(self, name, a, b, kernel=3, stride=1, bias=True):
        layer = nn.Conv3d(a, b, kernel, stride, kernel // 2, bias=bias)
        self.filled += [(layer, 'weight', name + '.weight')] + ([(layer, 'bias', name + '.bias')] if bias else [])
        return layer

    def linear(self, name, a, b, bias=True):
        layer = nn.Linear(a, b, bias=bias)
        self.filled += [(layer, 'weight', name + '.weight')] + ([(layer, 'bias', name + '.bias')] if bias else [])
        return layer

    def norm(self, name, a):
        layer = nn.BatchNorm3d(a)
        self.filled += [(layer, 'weight', name + '.scale'), (layer, 'bias', name + '.bias'),
                        (layer, 'running_mean', name + '.mean'), (layer, 'running_var', name + '.variance')]
        return layer

    def ready(self, salt, scale=1.0):
        self.double().eval()
        for layer, which, name in self.filled:
            tensor = getattr(layer, which)
            tensor.data.copy_(torch.from_numpy(parameter(salt, name, tuple(tensor.shape))).double())
        self.filled[-1][0].weight.data.mul_(scale)
        return self


class Classifier(Named):
    def __init__(self, size=32):
        super().__init__()
        self.size = size
        channels, blocks, self.cam = [1, 16, 32, 64, 16], [], []
        for i in range(1, 5):
            conv, norm = self.conv('block%d.conv' % i, *channels[i - 1:i + 1]), self.norm('block%d.norm' % i, channels[i])
            relu = nn.ReLU()
            blocks += [conv] + ([norm, relu] if i == 3 else [relu, norm]) + ([nn.MaxPool3d(2)] if i < 4 or size > 32 else [])
            self.cam.append(relu)  # a list, so that it is not a child twice
        self.features = nn.Sequential(*blocks)
        self.flatten = nn.Flatten()
        self.fc1, self.r1 = self.linear('fc1', 1024, 512), nn.ReLU()
        self.fc2, self.r2 = self.linear('fc2', 512, 64), nn.ReLU()
        self.fc3 = self.linear('fc3', 64, 1)

    def forward(self, x):
        return self.fc3(self.r2(self.fc2(self.r1(self.fc1(self.flatten(self.features(x)))))))

    def cam_layer(self):
        return self.cam[-1]


class Plain(Named):
    size = 16

    def __init__(self):
        super().__init__()
        self.c1, self.r1, self.pool = self.conv('c1', 1, 8, bias=False), nn.ReLU(), nn.MaxPool3d(2)
        self.c2, self.r2 = self.conv('c2', 8, 16, stride=2, bias=False), nn.ReLU()
        self.average, self.flatten = nn.AvgPool3d(2), nn.Flatten()
        self.fc1, self.r3 = self.linear('fc1', 128, 32, bias=False), nn.ReLU()
        self.fc2 = self.linear('fc2', 32, 2, bias=False)

    def forward(self, x):
        x = self.average(self.r2(self.c2(self.pool(self.r1(self.c1(x))))))
        return self.fc2(self.r3(self.fc1(self.flatten(x))))

    def cam_layer(self):
        return self.r2


class Residual(Named):
    size = 16

    def __init__(self):
        super().__init__()
        self.c0, self.n0, self.r0 = self.conv('stem.conv', 1, 8), self.norm('stem.norm', 8), nn.ReLU()
        self.c1, self.n1, self.r1 = self.conv('a.conv1', 8, 8), self.norm('a.norm.1', 8), nn.ReLU()
        self.c2, self.n2, self.r2 = self.conv('a.conv2', 8, 8), self.norm('a.norm.2', 8), nn.ReLU()
        self.c3, self.n3, self.r3 = self.conv('b.conv1', 8, 16, stride=2), self.norm('b.norm.1', 16), nn.ReLU()
        self.c4, self.n4, self.r4 = self.conv('b.conv2', 16, 16), self.norm('b.norm.2', 16), nn.ReLU()
        self.cs = self.conv('b.short', 8, 16, kernel=1, stride=2)
        self.fc = self.linear('fc', 16, 3)

    def forward(self, x):
        x = self.r0(self.n0(self.c0(x)))
        x = self.r2(self.n2(self.c2(self.r1(self.n1(self.c1(x))))) + x)
        x = self.r4(self.n4(self.c4(self.r3(self.n3(self.c3(x))))) + self.cs(x))
        return self.fc(x.mean((2, 3, 4)))

    def cam_layer(self):
        return self.r4


class Dense(Named):
    size = 16

    def __init__(self):
        super().__init__()
        self.c0, self.n0, self.r0 = self.conv('stem.conv', 1, 8, bias=False), self.norm('stem.norm', 8), nn.ReLU()
        self.pool = nn.MaxPool3d(2)
        self.n1, self.r1, self.c1 = self.norm('a.norm.1', 8), nn.ReLU(), self.conv('a.conv1', 8, 4, bias=False)
        self.n2, self.r2, self.c2 = self.norm('a.norm.2', 12), nn.ReLU(), self.conv('a.conv2', 12, 4, bias=False)
        self.n3, self.r3, self.c3 = self.norm('t.norm', 16), nn.ReLU(), self.conv('t.conv', 16, 8, kernel=1, bias=False)
        self.average = nn.AvgPool3d(2)
        self.n4, self.r4 = self.norm('last.norm', 8), nn.ReLU()
        self.fc = self.linear('fc', 8, 2)

    def forward(self, x):
        x = self.pool(self.r0(self.n0(self.c0(x))))
        x = torch.cat([x, self.c1(self.r1(self.n1(x)))], 1)
        x = torch.cat([x, self.c2(self.r2(self.n2(x)))], 1)
        x = self.r4(self.n4(self.average(self.c3(self.r3(self.n3(x))))))
        return self.fc(x.mean((2, 3, 4)))

    def cam_layer(self):
        return self.r4


NETWORKS = {'classifier': Classifier, 'plain': Plain, 'residual': Residual, 'dense': Dense}


def up(x, size):
    return F.interpolate(x, (size,) * 3, mode='trilinear', align_corners=False)[:, 0]


def gradient_at(m, module, x, target):
    box = []
    handle = module.register_forward_hook(lambda k, i, o: box.append(o))
    g = torch.autograd.grad(m(x.clone().requires_grad_())[:, target].sum(), box[0])[0]
    handle.remove()
    return box[0].detach(), g


def plusplus(m, x, target, size):
    """Weights by pytorch-grad-cam; the map without its scaling."""
    a, g = gradient_at(m, m.cam_layer(), x, target)
    w = GradCAMPlusPlus.get_cam_weights(None, None, None, None, a.numpy(), g.numpy())
    return up(F.relu((torch.from_numpy(w).view(1, -1, 1, 1, 1) * a).sum(1, keepdim=True)), size)


def fullgrad(m, x, target, sign):
    """Input and bias terms; see cw_sign for what each sign does.  Also the sum of all terms."""
    box, handles = [], []
    for k in m.modules():
        if isinstance(k, (nn.Conv3d, nn.Linear)) and k.bias is not None:
            b = k.bias
        elif isinstance(k, nn.BatchNorm3d):
            b = k.bias - k.weight * k.running_mean / (k.running_var + k.eps).sqrt()
        else:
            continue
        handles.append(k.register_forward_hook(lambda k, i, o, b=b: box.append((o, b.detach()))))
    x = x.clone().requires_grad_()
    y = m(x)[:, target].sum()
    gs = torch.autograd.grad(y, [x] + [o for o, _ in box])
    for h in handles:
        h.remove()
    terms = [(gs[0] * x).detach()]
    terms += [g * b.view(1, -1, *[1] * (g.dim() - 2)) for g, (_, b) in zip(gs[1:], box)]
    total, out = sum(float(t.sum()) for t in terms), 0
    for t in terms:
        if t.dim() != 5:
            continue
        if sign == 'signed':
            out = out + up(t.sum(1, keepdim=True), x.shape[2]) * (t.shape[2] / x.shape[2]) ** 3
        else:
            t = t.abs() if sign == 'absolute' else t.clamp(min=0)
            if t.max() > t.min():
                out = out + up(((t - t.min()) / (t.max() - t.min())).sum(1, keepdim=True), x.shape[2])
    return out, total


def rectgrad(m, x, target, q, signed):
    acts, handles = {}, []

    def rule(k, gi, go):
        product = acts[k] * go[0]
        product = product.abs() if signed else product
        at = max(float(torch.kthvalue(product.flatten(), max(1, int(np.ceil(q * product.numel())))).values), 0)
        return (go[0] * (product > at),)

    for r in [k for k in m.modules() if isinstance(k, nn.ReLU)]:
        handles.append(r.register_forward_hook(lambda k, i, o: acts.__setitem__(k, o.detach())))
        handles.append(r.register_full_backward_hook(rule))
    x = x.clone().requires_grad_()
    g = torch.autograd.grad(m(x)[:, target].sum(), x)[0]
    for h in handles:
        h.remove()
    return g[:, 0]


def captum_lrp(m, x, target, rule):
    for k in m.modules():
        if isinstance(k, (nn.Conv3d, nn.Linear)):
            k.rule = rule()
        elif not isinstance(k, nn.ReLU) and not list(k.children()):
            k.rule = EpsilonRule(1e-9)
    map_ = LRP(m).attribute(x.clone(), target=target).detach()[:, 0]
    for k in m.modules():
        if hasattr(k, 'rule'):
            del k.rule
    return map_


def zplus_classifier(m, x, negative):
    """z+ by positive products, layer by layer, on the reference classifier; the input by z+ as well."""
    steps, a = [], x
    modules = list(m.features) + [m.flatten, m.fc1, m.r1, m.fc2, m.r2, m.fc3]
    skip = None
    for i, k in enumerate(modules):
        after = modules[i + 1] if i + 1 < len(modules) else None
        if k is skip:
            continue
        if isinstance(k, nn.Conv3d) and isinstance(after, nn.BatchNorm3d):  # folded
            f = after.weight / (after.running_var + after.eps).sqrt()
            w, b = k.weight * f.view(-1, 1, 1, 1, 1), k.bias * f + after.bias - after.running_mean * f
            steps.append((a, w, b, lambda t, w: F.conv3d(t, w, padding=1)))
            a, skip = after(k(a)), after
            continue
        if isinstance(k, nn.Conv3d):
            steps.append((a, k.weight, k.bias, lambda t, w: F.conv3d(t, w, padding=1)))
        elif isinstance(k, nn.Linear):
            steps.append((a, k.weight, k.bias, F.linear))
        elif isinstance(k, nn.BatchNorm3d):
            f = k.weight / (k.running_var + k.eps).sqrt()
            steps.append((a, f, k.bias - k.running_mean * f, lambda t, w: t * w.view(1, -1, 1, 1, 1)))
        elif isinstance(k, nn.MaxPool3d):
            steps.append((a, None, None, k))
        elif isinstance(k, nn.Flatten):
            steps.append((a, None, None, k))
        a = k(a)
    r = -a if negative else a
    for i, (a, w, b, function) in reversed(list(enumerate(steps))):
        a = a.detach()
        if w is None:
            t = a.clone().requires_grad_()
            r = torch.autograd.grad(function(t), t, r)[0]
            continue
        w, b = w.detach(), b.detach()
        if negative and i == len(steps) - 1:
            w, b = -w, -b
        p, n, out = a.clamp(min=0), a.clamp(max=0), 0
        z = function(p, w.clamp(min=0)) + function(n, w.clamp(max=0))
        z = z + b.clamp(min=0).view(1, -1, *[1] * (z.dim() - 2))
        s = torch.where(z == 0, torch.zeros_like(z), r / (z + 1e-6))
        for t, v in ((p, w.clamp(min=0)), (n, w.clamp(max=0))):
            t = t.clone().requires_grad_()
            out = out + (t * torch.autograd.grad(function(t, v), t, s)[0]).detach()
        r = out
    return r[:, 0]


def box_first(m, x, target):
    """LRP-epsilon with the box rule at the image, on `plain`: the relevance of the first convolution's output is
    a dy/da there."""
    a, g = gradient_at(m, m.c1, x, target)
    r, low, high = a * g, x.min().clamp(max=0), x.max().clamp(min=0)
    w = m.c1.weight.detach()

    def function(t, v):
        return F.conv3d(t, v, padding=1)

    parts = [(x, w, 1), (torch.full_like(x, low), w.clamp(min=0), -1), (torch.full_like(x, high), w.clamp(max=0), -1)]
    z = sum(k * function(t, v) for t, v, k in parts)
    s, out = r / (z + 1e-6 * torch.where(z < 0, -1.0, 1.0)), 0
    for t, v, k in parts:
        t = t.clone().requires_grad_()
        out = out + k * (t * torch.autograd.grad(function(t, v), t, s)[0]).detach()
    return out[:, 0]


def maps_of(name, salt, dtype):
    m = NETWORKS[name]().ready(salt).to(dtype)
    x = torch.from_numpy(image(m.size, 1, salt)).to(dtype)
    out = {}
    with torch.no_grad():
        y = m(x)[0]
    target = int(y.argmax())
    out['logits'] = y
    out['target'] = torch.tensor([float(target)])
    leaf = x.clone().requires_grad_()
    out['gradient'] = Saliency(m).attribute(leaf, target=target, abs=False)[:, 0]
    out['gradient-x-input'] = InputXGradient(m).attribute(leaf, target=target)[:, 0].detach()
    out['integrated-gradients'] = IntegratedGradients(m).attribute(x, target=target, n_steps=32,
                                                                   method='riemann_middle')[:, 0].detach()
    out['guided-backprop.positive'] = GuidedBackprop(m).attribute(leaf, target=target)[:, 0].detach()
    out['occlusion'] = Occlusion(m).attribute(x, (1,) + (m.size // 4,) * 3, strides=(1,) + (m.size // 4,) * 3,
                                              target=target)[:, 0].detach()
    cam = LayerGradCam(m, m.cam_layer())
    out['gradcam.signed'] = up(cam.attribute(x, target=target).detach(), m.size)
    out['gradcam.positive'] = up(cam.attribute(x, target=target, relu_attributions=True).detach(), m.size)
    for sign in ('signed', 'positive', 'absolute'):
        out['fullgrad.' + sign], total = fullgrad(m, x, target, sign)
    out['fullgrad.total'] = torch.tensor([total])
    out['rectgrad.positive'] = rectgrad(m, x, target, 0.9, False)
    out['rectgrad.signed'] = rectgrad(m, x, target, 0.9, True)
    if name in ('classifier', 'plain'):
        out['lrp-epsilon'] = captum_lrp(m, x, target, lambda: EpsilonRule(1e-9))
    if name == 'plain':
        out['lrp-zplus'] = captum_lrp(m, x, target, Alpha1_Beta0_Rule)
        out['lrp-box'] = box_first(m, x, target)
    if name == 'classifier':
        out['lrp-zplus'] = zplus_classifier(m, x, False)
        out['lrp-zplus.negative'] = zplus_classifier(m, x, True)
    large = NETWORKS[name]().ready(salt, SCALE).to(dtype)
    out['gradcam-plusplus.positive'] = plusplus(large, x, target, m.size)
    return out


def digest(a):
    values = Values()
    values.digest('a', a.double())
    return values.items['a']


def worst_difference(name, salt):
    exact, rounded, worst = maps_of(name, salt, torch.float64), maps_of(name, salt, torch.float32), (0, '')
    for key, a in exact.items():
        if a.numel() < 16 or key == 'integrated-gradients':  # 32 inputs: some are always disturbed
            continue
        a, b = digest(a), digest(rounded[key])
        worst = max(worst, (float(np.sqrt(3 * np.mean((a[3:] - b[3:]) ** 2)) / (a[2] + 1e-30)), key))
    return worst


SALTS = {'classifier': 1, 'plain': 1, 'residual': 1, 'dense': 1}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--out', default=os.path.join(here, '..', 'Data', 'saliency'))
    a.add_argument('--search', action='store_true', help='look for data that rounding does not disturb')
    a = a.parse_args()
    torch.set_num_threads(1)
    if a.search:
        for name in NETWORKS:
            for salt in range(1, 30):
                worst = worst_difference(name, salt)
                print(name, salt, '%.1e' % worst[0], worst[1], flush=True)
                if worst[0] < 2e-5:
                    break
        return
    values = Values()
    for name in NETWORKS:
        values.put(name + '/salt', torch.tensor([float(SALTS[name])]))
        for key, map_ in maps_of(name, SALTS[name], torch.float64).items():
            (values.put if map_.numel() < 16 else values.digest)('%s/%s' % (name, key), map_.double())
    os.makedirs(a.out, exist_ok=True)
    with open(os.path.join(a.out, 'index.tsv'), 'w') as f:
        for name, numbers in values.items.items():
            f.write('%s\t%d\n' % (name, len(numbers)))
    np.concatenate(list(values.items.values())).astype('<f4').tofile(os.path.join(a.out, 'values.f32'))
    print('%d arrays' % len(values.items))


if __name__ == '__main__':
    main()
