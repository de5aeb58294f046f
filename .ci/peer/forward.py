#!/usr/bin/env python3
"""Runs the network in PyTorch, so that "server bench model" has a peer in the same run.

    server bench model --config small --keep peer && python3 .ci/peer/forward.py peer

reads weights.th, dce.npy, dwi.npy and t2.npy of the folder, prints logits, CPU seconds (user and system, all
threads), wall seconds and peak memory, and compares the logits with logits.npy where that is there. The network is
that of arXiv 2408.12606, built from the names and shapes of the tensors, in two ways:

    masked    before fusion one attention over all rows, with a mask that keeps modalities apart, and every row of the
              last layer, as the published code computes it
    separate  before fusion an attention for each modality, and of the last layer's feed-forward and mixture only what
              the class token's row needs, as the Go code computes it

The default runs both and names the one with less CPU time. Needs PyTorch 1.10 or later and NumPy.
"""
import argparse
import inspect
import json
import os
import resource
import sys
import time

import numpy
import torch
import torch.nn.functional as F

EPS = 1e-5
ROWS = ("dce", "dwi", "t2")  # order of the modalities' rows
COPY = {"dce": "A", "dwi": "B", "t2": "C"}


class Network:
    """The forward pass for one case; w holds the tensors by their published names."""

    def __init__(self, w, heads):
        self.w, self.heads = w, heads
        self.layers = 1 + max(int(k.split(".")[3]) for k in w if k.startswith("beit3.encoder.layers."))

    def linear(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.w[name + ".weight"], self.w[name + ".bias"], EPS)

    def stem(self, m, x):
        for i in (0, 3, 6):
            x = F.conv3d(x, self.w[f"beit3.{m}_embed.stem.{i}.weight"], stride=2, padding=1)
            x = F.relu(F.instance_norm(x, eps=EPS))
        return F.max_pool3d(x, 3, 2, 1).flatten(2).transpose(1, 2)[0]  # [T, E]

    def attend(self, q, k, v, mask=None):
        """q, k, v: [T, E], q scaled; mask: [T, T], added to the scores."""
        q, k, v = (x.view(x.shape[0], self.heads, -1).transpose(0, 1) for x in (q, k, v))  # [heads, T, width]
        scores = torch.bmm(q, k.transpose(1, 2))
        if mask is not None:
            scores += mask
        return torch.bmm(F.softmax(scores, -1), v).transpose(0, 1).reshape(q.shape[1], -1)

    def mixture(self, name, h, answered):
        """The soft mixture over all rows h, answered for the first rows."""
        g = F.gelu(self.linear(name + ".D_fc1", h))
        phi, weight, bias = (self.w[f"{name}.moe.{k}"] for k in ("phi", "experts.weight", "experts.bias"))
        d, n, p = phi.shape
        scores = g @ phi.reshape(d, n * p)  # [N, n p]
        slots = F.softmax(scores, 0).t() @ g
        y = torch.baddbmm(bias[:, None], slots.view(n, p, d), weight).reshape(n * p, d)
        return self.norm(name + ".norm", self.linear(name + ".D_fc2", F.softmax(scores[:answered], 1) @ y))

    def forward(self, volumes, separate):
        parts = {}
        for m in ROWS:
            x = self.stem(m, volumes[m])
            table = self.w[f"beit3.encoder.embed_positions.{COPY[m]}.weight"]
            if m == "dce":  # row 0 of the table is never used
                x, table = torch.cat([self.w["beit3.dce_embed.cls_token"][0], x]), table[1:]
            parts[m] = x + table[: len(x)]
        lengths = [len(parts[m]) for m in ROWS]
        x = torch.cat([parts[m] for m in ROWS])
        mask = None
        if not separate:
            mask = torch.full((len(x), len(x)), float("-inf"))
            at = 0
            for n in lengths:
                mask[at : at + n, at : at + n] = 0
                at += n
        for i in range(self.layers):
            x = self.layer(i, x, lengths, mask, separate)
        return self.linear("head", self.norm("fc_norm", x[:1]))

    def layer(self, i, x, lengths, mask, separate):
        name = f"beit3.encoder.layers.{i}."
        fused = name + "MLP_Adapter.moe.phi" in self.w
        multi = lambda x, do: torch.cat([do(c, part) for c, part in zip("ABC", x.split(lengths))])
        h = multi(x, lambda c, x: self.norm(name + "self_attn_layer_norm." + c, x))
        q, k, v = (multi(h, lambda c, x: self.linear(f"{name}self_attn.{p}_proj.{c}", x)) for p in "qkv")
        q = q * (x.shape[1] // self.heads) ** -0.5
        if fused:
            a = self.attend(q, k, v)
        elif separate:
            a = torch.cat([self.attend(*each) for each in zip(q.split(lengths), k.split(lengths), v.split(lengths))])
        else:
            a = self.attend(q, k, v, mask)
        a = multi(a, lambda c, x: self.norm(name + "self_attn.inner_attn_ln." + c, x))
        x = x + multi(a, lambda c, x: self.linear(name + "self_attn.out_proj." + c, x))
        h = multi(x, lambda c, x: self.norm(name + "final_layer_norm." + c, x))
        kept = h
        if separate and i == self.layers - 1:
            kept, x, lengths = h[:1], x[:1], [1, 0, 0]

        def feed_forward(c, x):
            x = F.gelu(self.linear(f"{name}ffn.{c}.fc1", x))
            return self.linear(f"{name}ffn.{c}.fc2", self.norm(f"{name}ffn.{c}.ffn_layernorm", x))

        def adapter(c, x):
            x = self.linear(f"{name}MLP_Adapter.{c}.D_fc2", F.gelu(self.linear(f"{name}MLP_Adapter.{c}.D_fc1", x)))
            return self.norm(f"{name}MLP_Adapter.{c}.norm", x)

        f = multi(kept, feed_forward)
        a = self.mixture(name + "MLP_Adapter", h, len(kept)) if fused else multi(h, adapter)
        return x + f + a


def used():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def peak():
    """Peak memory of the process in 10^6 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def libraries():
    """Names of the linear algebra libraries that are loaded: Debian's default is the slow reference."""
    try:
        with open("/proc/self/maps") as f:
            paths = {line.split()[-1] for line in f if "/" in line}
    except OSError:
        return []
    return sorted({os.path.basename(os.path.realpath(p)) for p in paths if any(k in os.path.basename(p) for k in ("blas", "mkl", "dnnl"))})


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dir", help="folder written by server bench model --keep")
    p.add_argument("--way", choices=("both", "masked", "separate"), default="both")
    p.add_argument("--runs", type=int, default=3, help="runs to measure, after one that warms up")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    p.add_argument("--heads", type=int, help="default: what the checkpoint's metadata say")
    p.add_argument("--json", action="store_true")
    args = p.parse_args()

    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    safe = {"weights_only": True} if "weights_only" in inspect.signature(torch.load).parameters else {}
    checkpoint = torch.load(os.path.join(args.dir, "weights.th"), map_location="cpu", **safe)
    w = {k: v.float() for k, v in checkpoint["state_dict"].items()}
    heads = args.heads or int(checkpoint["metadata"]["heads"])
    del checkpoint
    weights_mb = sum(v.numel() for v in w.values()) * 4 / 1e6
    volumes = {m: torch.from_numpy(numpy.load(os.path.join(args.dir, m + ".npy"))) for m in ROWS}
    net = Network(w, heads)

    results = []
    for way in ("separate", "masked") if args.way == "both" else (args.way,):
        runs = []
        for _ in range(args.runs + 1):
            cpu, wall = used(), time.perf_counter()
            logits = torch.cat([net.forward({m: v[i : i + 1] for m, v in volumes.items()}, way == "separate") for i in range(len(volumes["dce"]))])
            runs.append({"cpu_s": used() - cpu, "wall_s": time.perf_counter() - wall})
        first, runs = runs[0], runs[1:] or runs
        results.append({"way": way, "first": first, "runs": runs, "logits": logits.tolist(),
                        "peak_mb": peak(), "peak_over_weights_mb": peak() - weights_mb})  # of both, for the second
    report = {"torch": torch.__version__, "threads": args.threads, "libraries": libraries(), "weights_mb": weights_mb, "results": results,
              "best": min(results, key=lambda r: min(x["cpu_s"] for x in r["runs"]))["way"]}
    expected = os.path.join(args.dir, "logits.npy")
    if os.path.exists(expected):
        want = numpy.load(expected)
        report["largest_difference"] = float(max(numpy.abs(numpy.array(r["logits"]) - want).max() for r in results))
    if args.json:
        json.dump(report, sys.stdout, indent=2)
        print()
        return
    print(f"PyTorch {torch.__version__}, {args.threads} threads, {', '.join(report['libraries'])}, weights {weights_mb:.0f} MB")
    for r in results:
        for i, x in enumerate([r["first"]] + r["runs"]):
            print(f"  {r['way']:8} {'first' if i == 0 else f'run {i}':6} {x['cpu_s']:9.3f} CPU s {x['wall_s']:9.3f} wall s")
        print(f"  {r['way']:8} process at most {r['peak_mb']:.0f} MB, {r['peak_over_weights_mb']:.0f} MB over the weights; logits {r['logits']}")
    print(f"  least CPU time: {report['best']}")
    if "largest_difference" in report:
        print(f"  largest difference to logits.npy: {report['largest_difference']:.1e}")


if __name__ == "__main__":
    main()
