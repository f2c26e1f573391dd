"""The benchmark's work in PyTorch, same names and units: "peer <tab> name <tab> figure <tab> unit".

    python peer_pytorch.py layers
    python peer_pytorch.py train|simulate|classify SIZE BATCH [--compile]

Shortest of several runs after warming up, as in measure.h.  run.sh starts it as installed, with glibc's malloc tuned
(MALLOC_MMAP_MAX_=0 and a large MALLOC_TRIM_THRESHOLD_), and tuned with torch.compile.
"""
import argparse
import os
import resource
import sys
import time

import torch
import torch.nn.functional as F

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'Reference'))
import pytorch_networks as nets  # noqa: E402

BATCH = 8
TUNED = os.environ.get('MALLOC_MMAP_MAX_') == '0'


def grouped_cc(p, name, x, o):
    """The conditional convolution as one grouped convolution over the batch."""
    w = p[name + '.weight']
    r = torch.sigmoid(F.linear(torch.cat([x.mean((2, 3, 4)), o], 1), p[name + '.route.weight'],
                               p[name + '.route.bias']))
    n, co, ci = len(x), w.shape[1], w.shape[2]
    kernels = torch.einsum('ne,eoixyz->noixyz', r, w).reshape(n * co, ci, 3, 3, 3)
    y = F.conv3d(x.reshape(1, n * ci, *x.shape[2:]), kernels, padding=1, groups=n)
    return y.reshape(n, co, *x.shape[2:]) + p[name + '.bias'].view(1, -1, 1, 1, 1)


nets.cc = grouped_cc


def shortest(work, budget, before=None):
    best, spent, i = 1e30, 0.0, 0
    for _ in range(2):
        argument = before() if before else None
        start = time.perf_counter()
        work(argument) if before else work()
        if time.perf_counter() - start > 10:
            break
    while (i < 5 and spent < 20) or (spent < budget and i < 1000):
        argument = before() if before else None
        start = time.perf_counter()
        work(argument) if before else work()
        taken = time.perf_counter() - start
        best, spent, i = min(best, taken), spent + taken, i + 1
    return best


def row(name, figure, unit, variant):
    print('PyTorch %s%s\t%s\t%.4g\t%s' % (torch.__version__.split('+')[0], variant, name, figure, unit), flush=True)


def parameters(shapes, buffers=False):
    out = {}
    for name, shape in shapes.items():
        running = name.endswith(('.mean', '.variance'))
        out[name] = torch.from_numpy(nets.parameter(1, name, shape)).requires_grad_(not running and not buffers)
    return out


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def training(size, batch, compiled):
    p = parameters(nets.simulator_shapes(size))
    q = parameters(nets.classifier_shapes(size), buffers=True)
    x = torch.rand(batch, 1, size, size, size)
    o = nets.directions(batch, torch.float32)
    adam = torch.optim.Adam([a for a in p.values() if a.requires_grad], 1e-6, weight_decay=1e-4)

    def loss(x, o):
        u = nets.simulator(p, x, o, size, True)
        moved = nets.warp(x, u)
        with torch.no_grad():
            before = nets.classifier(q, x, size, False)
        shift = F.relu(12.5 - o * (nets.classifier(q, moved, size, False) - before)).mean()
        back = nets.simulator(p, moved, -o, size, True)
        cycle = (nets.warp(moved, back) - x).pow(2).mean()
        return shift + 100 * cycle + nets.smoothness(u, 1).mean() + nets.smoothness(back, 1).mean()

    loss = torch.compile(loss) if compiled else loss

    def step():
        value = loss(x, o)
        adam.zero_grad()
        value.backward()
        adam.step()

    return shortest(step, 5) / batch


def inference(kind, size, batch, compiled):
    simulate = kind == 'simulate'
    p = parameters((nets.simulator_shapes if simulate else nets.classifier_shapes)(size), buffers=True)
    x, o = torch.rand(batch, 1, size, size, size), torch.ones(batch, 1)

    def work(x, o):
        if not simulate:
            return nets.classifier(p, x, size, False)
        u = nets.simulator(p, x, o, size, False)
        return u, nets.warp(x, u)

    work = torch.compile(work) if compiled else work
    with torch.no_grad():
        return shortest(lambda: work(x, o), 2) / batch


# ---- single layers ----

def layers():
    """(name, inputs' shapes, parameters' shapes, function)"""
    def conv(a, b, n):
        return ('conv %d-%d at %d^3' % (a, b, n), [(BATCH, a, n, n, n)], nets.conv_shapes('c', a, b),
                lambda p, x: F.conv3d(x, p['c.weight'], p['c.bias'], padding=1))

    def cc(a, b, n):
        return ('cc %d-%d at %d^3' % (a, b, n), [(BATCH, a, n, n, n), (BATCH, 1)], nets.cc_shapes('x.cc', a, b, False),
                lambda p, x, o: grouped_cc(p, 'x.cc', x, o))

    def fc(a, b):
        return ('fc %d-%d' % (a, b), [(BATCH, a)], nets.fc_shapes('f', a, b),
                lambda p, x: F.linear(x, p['f.weight'], p['f.bias']))

    def pool(a, n, relu):
        def work(p, x):
            x = nets.norm(p, 'x.norm', F.relu(x), True) if relu else F.leaky_relu(nets.norm(p, 'x.norm', x, True), 0.1)
            return F.max_pool3d(x, 2)
        return ('%s %d at %d^3' % ('relu+bn+pool' if relu else 'bn+lrelu+pool', a, n), [(BATCH, a, n, n, n)],
                nets.norm_shapes('x.norm', a), work)

    def up(a, n):
        return ('bn+lrelu+up+skip %d at %d^3' % (a, n), [(BATCH, a, n, n, n), (BATCH, a, 2 * n, 2 * n, 2 * n)],
                nets.norm_shapes('x.norm', a),
                lambda p, x, skip: F.interpolate(F.leaky_relu(nets.norm(p, 'x.norm', x, True), 0.1),
                                                 scale_factor=2) + skip)

    volume = lambda c: (BATCH, c, 64, 64, 64)
    return [conv(1, 16, 64), conv(16, 32, 32), conv(32, 64, 16), conv(64, 16, 8), pool(16, 64, True),
            fc(1024, 512), fc(512, 64), fc(64, 1),
            cc(1, 16, 64), cc(16, 32, 32), cc(32, 64, 16), cc(64, 16, 8), cc(16, 16, 4), cc(16, 64, 8), cc(64, 32, 16),
            cc(32, 16, 32), cc(16, 3, 64), pool(16, 64, False), pool(32, 32, False), pool(64, 16, False),
            pool(16, 8, False), up(16, 4), up(64, 8), up(32, 16), up(16, 32), fc(513, 1024),
            ('warp 1 at 64^3', [volume(1), volume(3)], {}, lambda p, x, u: nets.warp(x, u)),
            ('exponential 3 at 64^3', [volume(3)], {}, lambda p, v: nets.exponential(v, 6)),
            ('smoothness 3 at 64^3', [volume(3)], {}, lambda p, v: nets.smoothness(v, 1))]


def run_layers(variant):
    for name, inputs, shapes, work in layers():
        p = parameters(shapes)
        x = [(torch.rand(shape) * 2 - 1).requires_grad_() for shape in inputs]
        leaves = x + [a for a in p.values() if a.requires_grad]
        g = torch.rand_like(work(p, *x))
        row(name + ', forward', 1e3 * shortest(lambda: work(p, *x), 0.3) / BATCH, 'ms', variant)
        row(name + ', backward', 1e3 * shortest(lambda y: torch.autograd.grad(y, leaves, g), 0.3,
                                                before=lambda: work(p, *x)) / BATCH, 'ms', variant)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('work', choices=('layers', 'train', 'simulate', 'classify'))
    a.add_argument('size', type=int, nargs='?', default=64)
    a.add_argument('batch', type=int, nargs='?', default=1)
    a.add_argument('--compile', action='store_true')
    a = a.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    variant = ' (malloc tuned, compiled)' if TUNED and a.compile else ' (malloc tuned)' if TUNED else ''
    if a.work == 'layers':
        run_layers(variant)
        return
    label = {'train': 'training step', 'simulate': 'simulation', 'classify': 'classifier'}[a.work]
    name = '%s, %d^3, batch %d' % (label, a.size, a.batch)
    if a.work == 'train':
        row(name, training(a.size, a.batch, a.compile), 's/sample', variant)
    else:
        row(name, 1e3 * inference(a.work, a.size, a.batch, a.compile), 'ms/sample', variant)
    row(name + ', peak memory', peak(), 'MiB', variant)


if __name__ == '__main__':
    main()
