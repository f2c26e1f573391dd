"""Stored values of the reference networks: PyTorch, float64, from formulas that the C++ test repeats.

    python Testing/Reference/pytorch_networks.py [--out Testing/Data/networks] [--search]

Writes index.tsv (name, count of numbers) and values.f32 (little endian, in the order of the index).  Parameters and
inputs are not stored: `unit` below hashes (name, index) to a number in [-1, 1), and the test does the same.  A large
array (a gradient, a field) is stored as its digest: element count, sum, L2 norm, and the dot products with four
directions drawn by the same hash, so that the error's norm can be estimated without the array.

Gradients jump where a maximum, a sign or a cell of the warp changes, and float32 rounding can do that: one such voxel
moves a gradient by 1e-3 and more.  So a case has up to three data sets, whose `salt` goes into the hash, where
parameters moved by 3e-7, and float32, leave every gradient in place; --search looks for them.  The test's own rounding
may still flip something on one of them, but hardly on all.

Semantics: a field has channel 0 along W (x), 1 along H (y), 2 along D (z), in voxels; the warp is a pull-back, zero
outside; the exponential's compositions clamp to the border; the velocity is tapered to zero on the faces.
"""
import argparse
import os

import numpy as np
import torch
import torch.nn.functional as F

LEAK, EXPERTS, BATCH = 0.1, 3, 2
SQUARINGS, TAPER = 6, 4
SHIFT_MARGIN, CYCLE, SMOOTH = 12.5, 100.0, 10.0
FIELD_SCALE = {True: 0.5, False: 0.05}  # of the output convolution in training, inference: fields of about a voxel


# ---- numbers by formula ----

def fnv1a(name):
    h = 2166136261
    for byte in name.encode():
        h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
    return h


def unit(name, count):
    """Uniform in [-1, 1), multiples of 2^-23: exact in float32."""
    x = (np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B9) + np.uint64(fnv1a(name))) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = ((x ^ (x >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    return (x >> np.uint64(8)).astype(np.float64) / 2 ** 23 - 1


def parameter(salt, name, shape):
    """One parameter.  He-uniform weights, so that every layer's values stay of the order of 1."""
    u = unit('%d/%s' % (salt, name), int(np.prod(shape)))
    kind = name.rsplit('.', 1)[1]
    if '.norm.' in name:
        offset, scale = {'scale': (1.0, 0.2), 'bias': (0.0, 0.2), 'mean': (0.0, 0.2), 'variance': (1.0, 0.5)}[kind]
    elif kind == 'bias':
        offset, scale = 0.0, 0.1
    else:
        inputs = int(np.prod(shape[2:] if name.endswith('cc.weight') else shape[1:]))
        offset, scale = 0.0, (6.0 / inputs) ** 0.5
    return (offset + scale * u).astype(np.float32).reshape(shape)


def image(size, batch, salt):
    """[batch,1,size,size,size]: smooth waves and noise, about 0..1."""
    z, y, x = np.meshgrid(*[np.arange(size) * (32.0 / size) for _ in range(3)], indexing='ij')
    out = np.empty((batch, 1, size, size, size))
    for n in range(batch):
        wave = (np.sin(0.31 * x + 0.7 * n) * np.cos(0.23 * y - 0.4 * n) + np.sin(0.27 * z + 0.11 * x)
                + np.cos(0.19 * (x + y - z) + n))
        out[n, 0] = 0.5 + wave / 6
    out += 0.1 * unit('%d/image' % salt, out.size).reshape(out.shape)
    return out.astype(np.float32)


# ---- the networks ----

def levels(size):
    return int(np.floor(np.log2(size / 4)))


def conv_shapes(name, a, b):
    return {name + '.weight': (b, a, 3, 3, 3), name + '.bias': (b,)}


def cc_shapes(name, a, b, by_direction):
    return {name + '.weight': (EXPERTS, b, a, 3, 3, 3), name + '.bias': (b,),
            name + '.route.weight': (EXPERTS, 1 if by_direction else a + 1), name + '.route.bias': (EXPERTS,)}


def norm_shapes(name, a):
    return {name + '.' + k: (a,) for k in ('scale', 'bias', 'mean', 'variance')}


def fc_shapes(name, a, b):
    return {name + '.weight': (b, a), name + '.bias': (b,)}


def classifier_channels(size):
    return [1, 16, 32, 64, 16] + [16] * max(0, levels(size) - 4)


def classifier_shapes(size):
    shapes, ch = {}, classifier_channels(size)
    for i in range(1, len(ch)):
        shapes.update(conv_shapes('block%d.conv' % i, ch[i - 1], ch[i]))
        shapes.update(norm_shapes('block%d.norm' % i, ch[i]))
    side = size >> levels(size)
    for name, a, b in (('fc1', 16 * side ** 3, 512), ('fc2', 512, 64), ('fc3', 64, 1)):
        shapes.update(fc_shapes(name, a, b))
    return shapes


def norm(p, name, x, training):
    return F.batch_norm(x, p[name + '.mean'], p[name + '.variance'], p[name + '.scale'], p[name + '.bias'], training,
                        0.1, 1e-5)


def classifier(p, x, size, training):
    for i in range(1, len(classifier_channels(size))):
        block = 'block%d.' % i
        x = F.conv3d(x, p[block + 'conv.weight'], p[block + 'conv.bias'], padding=1)
        if i == 3:
            x = F.relu(norm(p, block + 'norm', x, training))
        else:
            x = norm(p, block + 'norm', F.relu(x), training)
        if i <= levels(size):
            x = F.max_pool3d(x, 2)
    x = x.flatten(1)
    x = F.relu(F.linear(x, p['fc1.weight'], p['fc1.bias']))
    x = F.relu(F.linear(x, p['fc2.weight'], p['fc2.bias']))
    return F.linear(x, p['fc3.weight'], p['fc3.bias'])


def down_channels(size):
    return [16, 32, 64, 16] + [16] * (levels(size) - 3)


def simulator_shapes(size, by_direction=False):
    ch, count = down_channels(size), levels(size)
    shapes = cc_shapes('input.cc', 1, 16, by_direction)
    for i in range(count):
        shapes.update(norm_shapes('down%d.norm' % (i + 1), ch[i]))
        shapes.update(cc_shapes('down%d.cc' % (i + 1), ch[i], ch[i + 1], by_direction))
    flat = 16 * (size >> count) ** 3
    shapes.update(fc_shapes('neck.fc1', flat, 512))
    shapes.update(fc_shapes('neck.fc2', 513, flat))
    shapes.update(cc_shapes('up0.cc', 16, 16, by_direction))
    for name, channels, to in up_steps(size):
        if channels:
            shapes.update(norm_shapes(name + '.norm', channels))
        shapes.update(cc_shapes(name + '.cc', channels or 16, to, by_direction))
    return shapes


def up_steps(size):
    """(name, channels of BN .. Up2 + skip, or None where the convolution follows at once; channels out)."""
    ch = down_channels(size)
    steps, now = [], 16
    for i, skip in enumerate(range(levels(size) - 1, 0, -1), 1):
        if ch[skip] != now:  # three levels: the narrow end is 16, the first skip 64
            steps.append(('up%d' % i, None, ch[skip]))
            return steps + [('up%d' % (i + k), ch[s], ch[s - 1]) for k, s in enumerate(range(skip, 0, -1), 1)] + [
                ('output', 16, 3)]
        to = ch[skip - 1]
        steps.append(('up%d' % i, now, to))
        now = to
    return steps + [('output', now, 3)]


def cc(p, name, x, o):
    """Kernel of each sample = sum over experts of sigmoid(FC(concat(mean of x, o))) times the expert's."""
    w, route = p[name + '.weight'], p[name + '.route.weight']
    seen = o if route.shape[1] == 1 else torch.cat([x.mean((2, 3, 4)), o], 1)
    r = torch.sigmoid(F.linear(seen, route, p[name + '.route.bias']))
    kernels = torch.einsum('ne,eoixyz->noixyz', r, w)
    return torch.cat([F.conv3d(x[n:n + 1], kernels[n], p[name + '.bias'], padding=1) for n in range(len(x))])


def simulator(p, x, o, size, training):
    act = lambda t: F.leaky_relu(t, LEAK)
    d = [cc(p, 'input.cc', x, o)]
    for i in range(1, levels(size) + 1):
        d.append(cc(p, 'down%d.cc' % i, F.max_pool3d(act(norm(p, 'down%d.norm' % i, d[-1], training)), 2), o))
    z = F.linear(d[-1].flatten(1), p['neck.fc1.weight'], p['neck.fc1.bias'])
    z = F.relu(torch.cat([z, o], 1))
    z = F.linear(z, p['neck.fc2.weight'], p['neck.fc2.bias']).reshape(d[-1].shape)
    h = cc(p, 'up0.cc', z, o) + d.pop()
    for name, channels, _ in up_steps(size):
        if channels:
            h = F.interpolate(act(norm(p, name + '.norm', h, training)), scale_factor=2, mode='nearest') + d.pop()
        h = cc(p, name + '.cc', h, o)
    return h


# ---- warp, exponential, taper ----

def sample(x, u, outside):
    s = x.shape[2:]
    axes = [torch.arange(n, dtype=x.dtype) for n in s]
    z, y, xx = torch.meshgrid(*axes, indexing='ij')
    at = torch.stack([2 * (g + u[:, c]) / (n - 1) - 1 for c, (g, n) in enumerate(((xx, s[2]), (y, s[1]), (z, s[0])))],
                     -1)
    return F.grid_sample(x, at, mode='bilinear', padding_mode=outside, align_corners=True)


def warp(x, u):
    return sample(x, u, 'zeros')


def exponential(v, squarings):
    u = v / 2 ** squarings
    for _ in range(squarings):
        u = u + sample(u, u, 'border')
    return u


def taper(v, margin):
    out = v
    for axis in (2, 3, 4):
        n = v.shape[axis]
        i = np.arange(n)
        d = np.minimum(np.minimum(i, n - 1 - i) / margin, 1.0)
        window = torch.from_numpy(0.5 - 0.5 * np.cos(np.pi * d)).to(v.dtype)
        out = out * window.reshape([-1 if a == axis else 1 for a in range(5)])
    return out


def smoothness(u, power):
    """Mean (absolute or squared) forward difference along each axis, summed over the axes; one number a sample."""
    total = 0
    for axis in (2, 3, 4):
        total = total + torch.diff(u, dim=axis).abs().pow(power).mean((1, 2, 3, 4))
    return total


# ---- cases ----

class Values:
    """Collects (name, numbers)."""

    def __init__(self):
        self.items = {}

    def put(self, name, numbers):
        assert name not in self.items, name
        self.items[name] = np.atleast_1d(torch.as_tensor(numbers).detach().double().numpy()).ravel()

    def digest(self, name, array):
        a = array.detach().double().numpy().ravel()
        self.put(name, np.array([a.size, a.sum(), np.sqrt((a * a).sum())]
                                + [(a * unit('direction%d' % k, a.size)).sum() for k in range(4)]))

    def gradients(self, case, p):
        for name, a in p.items():
            if a.requires_grad:
                self.digest(case + '/gradient/' + name, a.grad)

    def field(self, case, field):
        part = slice(field.shape[2] // 8, None, field.shape[2] // 4)
        self.digest(case + '/field', field)
        self.put(case + '/field.sparse', field[:, :, part, part, part])


def parameters(shapes, run, scale_output=1.0):
    out = {}
    rng = np.random.default_rng(run.jitter)
    for name, shape in shapes.items():
        a = parameter(run.salt, name, shape)
        if name.startswith('output.cc.') and 'route' not in name:
            a = (a * np.float32(scale_output)).astype(np.float32)
        a = torch.from_numpy(a).to(run.dtype)
        if run.jitter:
            a = a * (1 + 3e-7 * torch.from_numpy(rng.standard_normal(shape)).to(run.dtype))
        out[name] = a.requires_grad_(not name.endswith(('.mean', '.variance')))
    return out


class Run:
    """Salt of the formulas, number type, and seed of the parameters' disturbance (0: none)."""

    def __init__(self, salt, dtype=torch.float64, jitter=0):
        self.salt, self.dtype, self.jitter = salt, dtype, jitter


def run_classifier(values, case, run, size, batch, training, gradients=True):
    p = parameters(classifier_shapes(size), run)
    x = torch.from_numpy(image(size, batch, run.salt)).to(run.dtype).requires_grad_()
    target = torch.arange(batch, dtype=run.dtype).reshape(-1, 1) % 2
    logit = classifier(p, x, size, training)
    loss = F.binary_cross_entropy_with_logits(logit, target, reduction='none')
    values.put(case + '/logit', logit)
    values.put(case + '/loss', loss)
    if gradients:
        loss.mean().backward()
        values.digest(case + '/gradient/image', x.grad)
    if training:
        values.gradients(case, p)
        for name in p:
            if name.endswith(('.mean', '.variance')):
                values.put(case + '/after/' + name, p[name])


def directions(batch, dtype):
    return 1 - 2 * (torch.arange(batch, dtype=dtype).reshape(-1, 1) % 2)


def run_simulator(values, case, run, size, batch, training, velocity, by_direction=False):
    """The whole of a training step's graph: shift + cycle + smoothness through a frozen classifier."""
    p = parameters(simulator_shapes(size, by_direction), run, FIELD_SCALE[training])
    q = parameters(classifier_shapes(size), run)
    x = torch.from_numpy(image(size, batch, run.salt)).to(run.dtype).requires_grad_()
    o = directions(batch, run.dtype).requires_grad_()

    def move(x, o):
        f = simulator(p, x, o, size, training)
        f = taper(f, TAPER) if velocity else f
        return f, warp(x, exponential(f, SQUARINGS) if velocity else f)

    field, moved = move(x, o)
    before, after = classifier(q, x, size, False), classifier(q, moved, size, False)
    shift = F.relu(SHIFT_MARGIN - o.detach() * (after - before.detach()))[:, 0]
    cycle = (move(moved, -o.detach())[1] - x).pow(2).mean((1, 2, 3, 4))
    smooth = smoothness(field, 2 if velocity else 1)
    (shift + CYCLE * cycle + SMOOTH * smooth).mean().backward()

    values.field(case, field)
    values.digest(case + '/moved', moved)
    values.put(case + '/logit', torch.cat([before, after], 1))
    values.put(case + '/shift', shift)
    values.put(case + '/cycle', cycle)
    values.put(case + '/smooth', smooth)
    values.digest(case + '/gradient/image', x.grad)
    values.put(case + '/gradient/direction', o.grad)
    if training:
        values.gradients(case, p)


def run_field(values, case, run, size, training=False):
    """The field alone, one sample; in training, the gradients of its dot product with fixed numbers."""
    p = parameters(simulator_shapes(size), run, FIELD_SCALE[training])
    x = torch.from_numpy(image(size, 1, run.salt)).to(run.dtype).requires_grad_()
    o = directions(1, run.dtype).requires_grad_()
    with torch.set_grad_enabled(training):
        field = simulator(p, x, o, size, training)
    values.field(case, field)
    if training:
        probe = torch.from_numpy(unit('probe', field.numel())).to(run.dtype).reshape(field.shape)
        (field * probe).sum().backward()
        values.digest(case + '/gradient/image', x.grad)
        values.put(case + '/gradient/direction', o.grad)
        values.gradients(case, p)


CASES = {  # name: (salts, function, arguments)
    'classifier32.training': ([4, 6, 8], run_classifier, dict(size=32, batch=BATCH, training=True)),
    'classifier32.inference': ([1, 2, 4], run_classifier, dict(size=32, batch=BATCH, training=False)),
    'classifier48.inference': ([3, 4, 5], run_classifier, dict(size=48, batch=1, training=False)),
    'classifier64.training': ([2, 10, 5], run_classifier, dict(size=64, batch=BATCH, training=True)),
    'classifier64.inference': ([2, 3, 4], run_classifier, dict(size=64, batch=1, training=False)),
    'classifier128.inference': ([1], run_classifier, dict(size=128, batch=1, training=False, gradients=False)),
    'displacement32.training': ([20, 18, 16], run_simulator, dict(size=32, batch=BATCH, training=True, velocity=False)),
    'displacement32.inference': ([35, 18, 38], run_simulator, dict(size=32, batch=BATCH, training=False,
                                                                   velocity=False)),
    'velocity32.training': ([4, 6, 12], run_simulator, dict(size=32, batch=BATCH, training=True, velocity=True)),
    'velocity32.inference': ([6, 12], run_simulator, dict(size=32, batch=BATCH, training=False, velocity=True)),
    'direction32.training': ([18, 24, 28], run_simulator, dict(size=32, batch=BATCH, training=True, velocity=False,
                                                               by_direction=True)),
    'field64.training': ([3, 11, 15], run_field, dict(size=64, training=True)),
    'field48': ([1], run_field, dict(size=48)),
    'field128': ([1], run_field, dict(size=128)),
}


def difference(a, b):
    """Largest relative difference of two sets of values, and where; as the test computes it."""
    largest = max([x[2] for name, x in a.items.items() if '/gradient/' in name and len(x) == 7], default=0)
    worst = (0.0, '')
    for name, x in a.items.items():
        y = b.items[name]
        if len(x) == 7:
            floor = 1e-2 * largest if '/gradient/' in name else 0
            error = np.sqrt(3 * np.mean((x[3:] - y[3:]) ** 2)) / max(x[2], floor)
        else:
            error = np.sqrt(((x - y) ** 2).sum() / (x ** 2).sum())
        worst = max(worst, (error, name))
    return worst


def search(case, start=1, count=3, disturbances=6, bound=4e-5):
    """`count` salts from `start` on under which rounding moves no gradient by more than `bound`."""
    _, function, arguments = CASES[case]

    def values(run):
        out = Values()
        function(out, case, run, **arguments)
        return out

    found = []
    for salt in range(start, start + 400):
        exact, worst = values(Run(salt)), (0.0, '')
        for run in [Run(salt, torch.float32)] + [Run(salt, jitter=k + 1) for k in range(disturbances)]:
            worst = max(worst, difference(exact, values(run)))
            if worst[0] > bound:
                break
        if worst[0] <= bound:
            found.append(salt)
            print('%s: salt %d, %.1e %s' % (case, salt, worst[0], worst[1]), flush=True)
        if len(found) == count:
            return found
    return found


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--out', default=os.path.join(here, '..', 'Data', 'networks'))
    a.add_argument('--search', action='store_true')
    a = a.parse_args()
    if a.search:
        for case, (salts, _, _) in CASES.items():
            search(case, salts[0], len(salts))
        return
    values = Values()
    for case, (salts, function, arguments) in CASES.items():
        values.put(case + '/salts', torch.tensor(salts, dtype=torch.float64))
        for salt in salts:
            function(values, '%s.%d' % (case, salt), Run(salt), **arguments)
    os.makedirs(a.out, exist_ok=True)
    with open(os.path.join(a.out, 'index.tsv'), 'w') as f:
        for name, numbers in values.items.items():
            f.write('%s\t%d\n' % (name, len(numbers)))
    np.concatenate(list(values.items.values())).astype('<f4').tofile(os.path.join(a.out, 'values.f32'))
    print('%d arrays, %d numbers' % (len(values.items), sum(len(v) for v in values.items.values())))


if __name__ == '__main__':
    main()
