//! The binary `nnc`; everything is in the library beside it.

fn main() -> std::process::ExitCode {
    nnc::main()
}
