"""bench_saliency's work by captum (FullGrad: plain PyTorch; GradCAM++: pytorch-grad-cam), same names and units.

    python peer_captum.py SIZE METHOD
"""
import os
import sys

import torch

sys.dont_write_bytecode = True
import peer_pytorch as peer  # noqa: E402
import pytorch_saliency as saliency  # noqa: E402
from captum.attr import (GuidedBackprop, InputXGradient, IntegratedGradients, LayerGradCam, NoiseTunnel,  # noqa: E402
                         Occlusion, Saliency)


def work_of(method, m, size):
    x = torch.rand(1, 1, size, size, size)
    leaf = x.clone().requires_grad_()
    box = (1,) + (size // 8,) * 3
    return {
        'gradient': lambda: Saliency(m).attribute(leaf, target=0, abs=False),
        'gradient-x-input': lambda: InputXGradient(m).attribute(leaf, target=0),
        'smoothgrad': lambda: NoiseTunnel(Saliency(m)).attribute(leaf, target=0, abs=False, nt_samples=16,
                                                                 nt_samples_batch_size=4, stdevs=0.03),
        'integrated-gradients': lambda: IntegratedGradients(m).attribute(x, target=0, n_steps=32, internal_batch_size=4,
                                                                         method='riemann_middle'),
        'guided-backprop': lambda: GuidedBackprop(m).attribute(leaf, target=0),
        'gradcam': lambda: saliency.up(LayerGradCam(m, m.cam_layer()).attribute(x, target=0, relu_attributions=True),
                                       size),
        'gradcam-plusplus': lambda: saliency.plusplus(m, x, 0, size),
        'fullgrad': lambda: saliency.fullgrad(m, x, 0, 'absolute'),
        'rectgrad': lambda: saliency.rectgrad(m, x, 0, 0.9, False),
        'lrp-epsilon': lambda: saliency.captum_lrp(m, x, 0, lambda: saliency.EpsilonRule(1e-6)),
        'lrp-zplus': lambda: saliency.captum_lrp(m, x, 0, saliency.Alpha1_Beta0_Rule),
        'occlusion': lambda: Occlusion(m).attribute(x, box, strides=box, target=0, perturbations_per_eval=8),
    }[method]


def main():
    size, method = int(sys.argv[1]), sys.argv[2]
    torch.manual_seed(0)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    m = saliency.Classifier(size).ready(1).float()
    name = 'saliency %s, %d^3' % (method, size)
    variant = ' (malloc tuned), captum' if peer.TUNED else ', captum'
    peer.row(name, 1e3 * peer.shortest(work_of(method, m, size), 2), 'ms', variant)
    peer.row(name + ', peak memory', peer.peak(), 'MiB', variant)


if __name__ == '__main__':
    main()
