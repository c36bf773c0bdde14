//! `h5live-server`: see `h5live::command_line`.

use std::process::ExitCode;

fn main() -> ExitCode {
    h5live::command_line::run()
}
