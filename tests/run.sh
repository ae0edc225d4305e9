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
if ! command -v cargo >/dev/null; then
    echo "Rust is missing. Install rustup, then run this again."
    exit 1
fi

cargo fmt --all --check
cargo clippy --workspace --all-targets --features parquet -- -D warnings
cargo test --workspace --features parquet
