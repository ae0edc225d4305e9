"""Compares nnc's training step with the peers', on the programs in examples/bench.

  python compare.py --threads 1 [--rounds 5] [--only mlp-tiny,lenet] [--peers "jax scan,torch fused"] [--json out.jsonl]

Every round runs nnc and each peer once, one after the other, so that a machine that drifts drifts for all; the figure of a
system is the median over the rounds of its median step. A ratio above one says how many times faster nnc is.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
WORKLOADS = ["mlp-tiny", "mlp-small", "mlp-mid", "mlp-big", "lenet", "resnet20", "gpt-char", "grok"]
PEERS = {
    "jax step": ["bench_jax.py"],
    "jax scan": ["bench_jax.py", "--mode", "scan"],
    "torch loop": ["bench_torch.py", "--optim", "loop"],
    "torch fused": ["bench_torch.py", "--optim", "fused"],
    "torch compile": ["bench_torch.py", "--mode", "compile", "--optim", "fused"],
    "sklearn": ["bench_sklearn.py"],
    "candle": ["rust/target/release/bench_candle"],
    "burn": ["rust/target/release/bench_burn"],
}
USUAL = "jax step,jax scan,torch loop,torch fused"


def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--nnc", default=HERE.parent / "target/release/nnc", type=pathlib.Path)
    ap.add_argument("--only", default=",".join(WORKLOADS))
    ap.add_argument("--peers", default=USUAL, help=f"of: {', '.join(PEERS)}; empty for none")
    ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--secs", type=float, default=2.0, help="how long a peer is timed in a round")
    ap.add_argument("--json", type=pathlib.Path, help="append every run's figures to this file")
    return ap.parse_args()


def last_object(command):
    """The last JSON object that the command prints; None, and its last words on standard error, where it fails."""
    done = subprocess.run([str(part) for part in command], cwd=HERE, capture_output=True, text=True)
    rows = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode == 0 and rows:
        return json.loads(rows[-1])
    print("failed:", *command, "\n   ", (done.stderr or done.stdout).strip()[-300:], file=sys.stderr)
    return None


def run_nnc(args, workload):
    program = HERE.parent / "examples/bench" / (workload + ".nn")
    found = last_object([args.nnc.resolve(), "bench", program, "--json", "--threads", args.threads])
    return found and dict(ms=found["ms_per_step"]["median"], first_s=found["first_step_s"],
                          rss_mb=found["peak_rss_bytes"] / 2**20)


def run_peer(args, workload, peer):
    script, *options = PEERS[peer]
    start = [sys.executable, script] if script.endswith(".py") else [HERE / script]
    found = last_object([*start, workload, "--threads", args.threads, "--secs", args.secs, *options])
    return found and dict(ms=found["median_ms"], first_s=found["first_step_s"], rss_mb=found["peak_rss_mb"])


def measure(args, workload, peers):
    """System -> its runs, taken alternately. A system that fails once is left out from then on."""
    runs = {system: [] for system in ["nnc", *peers]}
    failed = set()
    for turn in range(args.rounds):
        for system in runs:
            if system in failed:
                continue
            found = run_nnc(args, workload) if system == "nnc" else run_peer(args, workload, system)
            if found is None:
                failed.add(system)
                continue
            runs[system].append(found)
            if args.json:
                row = dict(workload=workload, system=system, threads=args.threads, round=turn, **found)
                with open(args.json, "a") as out:
                    out.write(json.dumps(row) + "\n")
    return {system: found for system, found in runs.items() if found and system not in failed}


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def cell(runs, base):
    if not runs:
        return "-"
    ratio = f" ({median(runs, 'ms') / median(base, 'ms'):.2f})" if base else ""
    return f"{median(runs, 'ms'):.4g}{ratio}"


def table(title, rows, systems, show):
    print(f"\n{title}\n\n| | " + " | ".join(systems) + " |\n|---" + "|---" * len(systems) + "|")
    for workload, runs in rows.items():
        print(f"| {workload} | " + " | ".join(show(runs.get(system), runs.get("nnc")) for system in systems) + " |")


def main():
    args = arguments()
    peers = [name for name in args.peers.split(",") if name]
    if unknown := [name for name in peers if name not in PEERS]:
        sys.exit(f"unknown peer {', '.join(unknown)}; there are {', '.join(PEERS)}")
    rows = {workload: measure(args, workload, peers) for workload in args.only.split(",")}
    systems = ["nnc", *peers]
    print(f"{args.threads} thread{'s' * (args.threads > 1)}, medians of {args.rounds} alternating rounds, "
          f"{os.cpu_count()} cores")
    table("Training step, ms (times nnc's)", rows, systems, lambda runs, nnc: cell(runs, nnc if runs is not nnc else None))
    table("From process start to the end of the first step, s", rows, systems,
          lambda runs, _: f"{median(runs, 'first_s'):.3g}" if runs else "-")
    table("Peak resident memory, MB", rows, systems, lambda runs, _: f"{median(runs, 'rss_mb'):.0f}" if runs else "-")


if __name__ == "__main__":
    main()
