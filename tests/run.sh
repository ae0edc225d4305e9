#!/usr/bin/env bash
# Installs what the tests need, then runs them all: formatting, lints, tests.
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

cargo fmt --all --check
cargo clippy --workspace --all-targets -- -D warnings
cargo test --workspace
