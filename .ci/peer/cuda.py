#!/usr/bin/env python3
"""Times the network in PyTorch on a GPU, beside "server bench gpu", which runs this and reads the JSON that it prints, a line for
each way as soon as it is known. forward.py must lie beside it.

Reads weights.th, dce.npy, dwi.npy, t2.npy and logits.npy as "server bench model --keep" writes them. Each way is one forward pass of
one case, volumes on the card, timed by events of the card: the median of the runs. float32 and TF32 are one network with and without
torch.backends' permission, bfloat16 has weights and activations in that form. Attention is PyTorch's own
scaled_dot_product_attention, cuDNN looks for its fastest convolutions, and volumes lie in either order in memory, channels first or
channels last. Every way runs eagerly and as a CUDA graph; compiled is torch.compile of the faster order, which takes minutes.
Needs PyTorch 2.1 with CUDA, and NumPy.
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

KINDS = (("float32", torch.float32, False), ("tf32", torch.float32, True), ("bfloat16", torch.bfloat16, True))
ORDERS = (("", torch.contiguous_format), (", channels last", torch.channels_last_3d))


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


def graphed(run):
    """run as a CUDA graph, which costs the CPU one launch."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # no first calls of libraries in the graph
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = run()

    def replay():
        graph.replay()
        return out

    return replay


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dir")
    p.add_argument("--runs", type=int, default=20)
    p.add_argument("--device", default="cuda:0")
    p.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    p.add_argument("--autotune", action="store_true", help="have torch.compile try kernels, which takes many minutes")
    args = p.parse_args()
    if not torch.cuda.is_available():
        sys.exit("PyTorch finds no GPU")

    torch.set_grad_enabled(False)
    torch.cuda.set_device(args.device)
    torch.backends.cudnn.benchmark = True
    checkpoint = torch.load(os.path.join(args.dir, "weights.th"), map_location=args.device, weights_only=True)
    heads = int(checkpoint["metadata"]["heads"])
    want = numpy.load(os.path.join(args.dir, "logits.npy"))
    volumes = {m: torch.from_numpy(numpy.load(os.path.join(args.dir, m + ".npy"))) for m in ROWS}

    def forward(kind, order):
        place = lambda x: x.to(args.device, kind).contiguous(memory_format=order if x.dim() == 5 else torch.contiguous_format)
        net = Fused({k: place(v) for k, v in checkpoint["state_dict"].items()}, heads)
        inputs = {m: place(v) for m, v in volumes.items()}
        return lambda: net.forward(inputs, True)

    def time(way, prepare):
        """Milliseconds, infinite for what this PyTorch lacks."""
        try:
            ms, got = measure(prepare(), args.runs)
        except Exception as e:
            print(f"{way}: {e}", file=sys.stderr, flush=True)
            return float("inf")
        difference = float(abs(got - want).max() / abs(want).max())
        print(json.dumps({"torch": torch.__version__, "way": way, "ms": ms, "difference": difference}), flush=True)
        return ms

    fastest = {}
    for name, kind, tf32 in KINDS:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        best = float("inf")
        for words, order in ORDERS:
            run = forward(kind, order)
            ms = min(time(f"eager {name}{words}", lambda: run), time(f"graph {name}{words}", lambda: graphed(run)))
            if ms < best:
                best, fastest[name] = ms, order
    if args.no_compile:
        return
    for name, kind, tf32 in reversed(KINDS):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        torch.compiler.reset()
        options = {"mode": "max-autotune-no-cudagraphs"} if args.autotune else {}
        run = torch.compile(forward(kind, fastest.get(name, torch.contiguous_format)), dynamic=False, **options)
        if time(f"compiled {name}", lambda: run) < float("inf"):
            time(f"compiled {name}, graph", lambda: graphed(run))


if __name__ == "__main__":
    main()
