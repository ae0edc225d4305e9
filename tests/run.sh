#!/usr/bin/env bash
# Installs what the tests need, then runs them all: formatting, lints, tests. Ends with a list of what failed, if anything.
# Needs Rust (through rustup); everything else comes from here.
set -euo pipefail
cd "$(dirname "$0")/.."

# A linker and C headers: the only thing beside Rust.
if ! command -v cc >/dev/null; then
    install="apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev"
    if [ "$(id -u)" = 0 ]; then
        bash -c "$install"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo bash -c "$install"
    else
        echo "A C linker is missing. Install one, then run this again:"
        echo "    sudo sh -c '$install'"
        exit 1
    fi
fi
# An emulator and a compiler for another machine, to try object files made for it; without them that test is skipped.
if ! command -v qemu-aarch64 >/dev/null || ! command -v aarch64-linux-gnu-gcc >/dev/null; then
    install="apt-get update && apt-get install -y --no-install-recommends qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
    if [ "$(id -u)" = 0 ]; then
        bash -c "$install" || echo "Objects for AArch64 will not be tried."
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo bash -c "$install" || echo "Objects for AArch64 will not be tried."
    else
        echo "Objects for AArch64 will not be tried. To have them tried:"
        echo "    sudo sh -c '$install'"
    fi
fi
if ! command -v cargo >/dev/null; then
    echo "Rust is missing. Install rustup, then run this again."
    exit 1
fi

# Every step runs, whatever became of the ones before it; what failed is said at the end.
failed=()
log=$(mktemp)
trap 'rm -f "$log"' EXIT

step() {
    echo "== $*"
    "$@" || failed+=("$*")
}

step cargo fmt --all --check
step cargo clippy --workspace --all-targets --features parquet -- -D warnings
echo "== cargo test --workspace --features parquet --no-fail-fast"
if ! cargo test --workspace --features parquet --no-fail-fast 2>&1 | tee "$log"; then
    failed+=("cargo test")
fi

binaries=$(grep -c '^test result:' "$log" || true)
passed=$(awk '/^test result:/ { n += $4 } END { print n + 0 }' "$log")
echo
echo "== Summary: $passed tests passed in $binaries binaries"
if [ ${#failed[@]} = 0 ]; then
    echo "All steps succeeded."
    exit 0
fi
echo "Failed steps:"
printf '    %s\n' "${failed[@]}"
# Names of tests, and of binaries that ended before they could name one.
grep -E '^test .* FAILED$|^error: test failed|^    `-p |could not compile' "$log" | sort -u | sed 's/^ */    /' || true
exit 1
