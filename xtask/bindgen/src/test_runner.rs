//! `test-runner MODULE`: runs the tests of a module in Node, or in a browser where the environment says so.

fn main() -> anyhow::Result<()> {
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(std::env::args_os())
}
