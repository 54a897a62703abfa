//! The binary: everything is in [`keepgreen::cli`].

fn main() -> std::process::ExitCode {
    keepgreen::cli::main(std::env::args_os())
}
