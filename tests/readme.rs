//! The README's table of what loads says what the tests run.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::{FIXTURES, STAGED};
use vitscope::checkpoint::{aliases, families};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const START: &str = "<!-- models -->\n";
const END: &str = "<!-- /models -->\n";

/// A row a family: its models, and the fixtures that hold them to PyTorch's numbers.
fn table() -> String {
    let loaded: Vec<_> = FIXTURES
        .iter()
        .chain(STAGED)
        .map(|fixture| (fixture.load(None).unwrap().config().family, format!("`{}`", fixture.name)))
        .collect();
    let row = |(family, models): (&str, &str)| {
        let held: Vec<_> = loaded.iter().filter(|(own, _)| *own == family).map(|(_, name)| name.as_str()).collect();
        assert!(
            !held.is_empty(),
            "no fixture holds {family}: add a tiny model to tests/fixtures and tests/common/mod.rs"
        );
        format!("| **{family}** | {models} | {} |\n", held.join(" "))
    };
    let rows: String = families().map(row).collect();
    let types: Vec<_> = aliases().map(|model_type| format!("`{model_type}`")).collect();
    let also =
        format!("One of these by another name, or the encoder of a larger model (`model_type`): {}.", types.join(", "));
    format!("\n| | models | held by |\n| --- | --- | --- |\n{rows}\n{also}\n\n")
}

#[test]
fn what_loads_is_what_is_tested() {
    let readme = std::fs::read_to_string(README).unwrap();
    let (before, rest) = readme.split_once(START).expect("README.md has lost its table's start");
    let (present, after) = rest.split_once(END).expect("README.md has lost its table's end");
    let table = table();
    if std::env::var_os("UPDATE_README").is_some() {
        return std::fs::write(README, [before, START, &table, END, after].concat()).unwrap();
    }
    assert!(present == table, "README.md's table is out of date: run `UPDATE_README=1 cargo test --test readme`");
}
