#!/usr/bin/env python3
"""Times the network in PyTorch on a GPU, beside "server bench gpu", which runs this and reads the JSON that it prints.

Reads weights.th, dce.npy, dwi.npy, t2.npy and logits.npy as "server bench model --keep" writes them. Each way is one forward pass of
one case, volumes on the card, timed by events of the card: the median of the runs. float32 and TF32 are one network with and without
torch.backends' permission, bfloat16 has weights and activations in that form; compiled is torch.compile. Attention is PyTorch's own
scaled_dot_product_attention. Needs PyTorch 2 with CUDA, and NumPy.
"""
import argparse
import json
import os
import statistics
import sys

import numpy
import torch
import torch.nn.functional as F

from forward import ROWS, Network


class Fused(Network):
    """The network with PyTorch's fastest attention."""

    def attend(self, q, k, v, mask=None):
        q, k, v = (x.view(x.shape[0], self.heads, -1).transpose(0, 1)[None] for x in (q, k, v))  # [1, heads, T, width]
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0)[0].transpose(0, 1).reshape(q.shape[2], -1)


def measure(run, runs):
    """Median milliseconds of run, and what it last returned."""
    for _ in range(5):
        out = run()
    times = []
    for _ in range(runs):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        out = run()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times), out.float().cpu().numpy()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dir")
    p.add_argument("--runs", type=int, default=20)
    p.add_argument("--no-compile", action="store_true", help="leave out torch.compile, which takes a minute")
    args = p.parse_args()
    if not torch.cuda.is_available():
        sys.exit("PyTorch finds no GPU")

    torch.set_grad_enabled(False)
    torch.set_default_device("cuda")
    checkpoint = torch.load(os.path.join(args.dir, "weights.th"), map_location="cuda", weights_only=True)
    heads = int(checkpoint["metadata"]["heads"])
    want = numpy.load(os.path.join(args.dir, "logits.npy"))
    results = []
    for name, kind, tf32 in (("float32", torch.float32, False), ("tf32", torch.float32, True), ("bfloat16", torch.bfloat16, True)):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cudnn.benchmark = True
        net = Fused({k: v.to(kind) for k, v in checkpoint["state_dict"].items()}, heads)
        volumes = {m: torch.from_numpy(numpy.load(os.path.join(args.dir, m + ".npy"))).to("cuda", kind) for m in ROWS}
        eager = lambda: net.forward(volumes, True)
        ways = {"eager " + name: eager}
        if not args.no_compile:
            ways["compiled " + name] = torch.compile(eager)
        for way, run in ways.items():
            try:
                ms, got = measure(run, args.runs)
            except Exception as e:  # a way that this PyTorch lacks is left out
                print(f"{way}: {e}", file=sys.stderr)
                continue
            results.append({"way": way, "ms": ms, "difference": float(abs(got - want).max() / abs(want).max())})
    json.dump({"torch": torch.__version__, "device": torch.cuda.get_device_name(), "results": results}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
