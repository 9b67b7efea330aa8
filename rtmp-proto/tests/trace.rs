//! `TRACE.md` is complete, and true as far as names go.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "reads the sources of the workspace"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Every requirement and every ambiguity has one row; every row names tests that exist, or says why
/// there are none.
#[test]
fn every_requirement_is_traced() {
    let rows: Vec<_> = TRACE.lines().filter_map(Row::parse).collect();
    let mut faults = Vec::new();

    let expected: BTreeSet<_> = GROUPS
        .iter()
        .flat_map(|&(group, count)| (1..=count).map(move |number| format!("{group}-{number}")))
        .collect();
    let mut seen = BTreeSet::new();
    for row in &rows {
        if !expected.contains(row.id) {
            faults.push(format!("{}: no such number", row.id));
        }
        if !seen.insert(row.id.to_owned()) {
            faults.push(format!("{}: twice", row.id));
        }
    }
    for id in expected.difference(&seen) {
        faults.push(format!("{id}: missing"));
    }

    let mut sources = Sources::default();
    for row in &rows {
        if row.tests.is_empty() && row.remark.is_empty() {
            faults.push(format!("{}: neither a test nor a reason", row.id));
        }
        for test in &row.tests {
            if !sources.has_test(test) {
                faults.push(format!("{}: no test `{test}`", row.id));
            }
        }
        if row.remark.starts_with("open") {
            eprintln!("{}: {}", row.id, row.remark);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// `| id | tests | remark |`, tests in backquotes.
struct Row<'a> {
    id: &'a str,
    tests: Vec<&'a str>,
    remark: &'a str,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let mut cells = cells.splitn(3, " |").map(str::trim);
        let (id, tests, remark) = (cells.next()?, cells.next()?, cells.next()?);
        let (group, number) = id.split_once('-')?;
        let is_id = number.parse::<u16>().is_ok() && !group.is_empty();
        is_id.then(|| Self {
            id,
            tests: tests.split('`').skip(1).step_by(2).collect(),
            remark,
        })
    }
}

/// The names of the tests in each file that was asked for.
#[derive(Default)]
struct Sources(BTreeMap<String, BTreeSet<String>>);

impl Sources {
    /// Whether `test`, a file and a function, exists.
    fn has_test(&mut self, test: &str) -> bool {
        let Some((file, function)) = test.rsplit_once("::") else {
            return false;
        };
        if file.starts_with("rtmp-") && !is_in_workspace() {
            return true;
        }
        let tests = self
            .0
            .entry(file.to_owned())
            .or_insert_with(|| tests_of(file));
        tests.contains(function)
    }
}

/// Whether the other packages are there, which they are not beside one from a registry.
fn is_in_workspace() -> bool {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.join("../Cargo.toml").exists()
}

/// The test functions of a file, named as in `TRACE.md`; none if there is no such file.
fn tests_of(file: &str) -> BTreeSet<String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let roots = [package.join("src"), package.to_owned(), package.join("..")];
    let source = roots
        .iter()
        .find_map(|root| fs::read_to_string(root.join(file).with_extension("rs")).ok());
    let mut tests = BTreeSet::new();
    let mut is_test = false;
    for line in source.unwrap_or_default().lines().map(str::trim) {
        let function = line.strip_prefix("async ").unwrap_or(line);
        if line.starts_with("#[") {
            is_test |= line.contains("test") && !line.contains("cfg");
        } else if let Some(function) = function.strip_prefix("fn ") {
            let name = function.split('(').next().unwrap_or_default();
            if is_test {
                tests.insert(name.to_owned());
            }
            is_test = false;
        } else if !line.starts_with("//") {
            is_test = false;
        }
    }
    tests
}

const TRACE: &str = include_str!("TRACE.md");

/// How many requirements each group has, and how many ambiguities there are.
const GROUPS: [(&str, u16); 13] = [
    ("GEN", 13),
    ("HS", 39),
    ("CH", 57),
    ("PC", 31),
    ("UC", 26),
    ("MSG", 48),
    ("AMF0", 43),
    ("AMF3", 47),
    ("NC", 60),
    ("NS", 72),
    ("FLV", 82),
    ("ERTMP", 152),
    ("A", 67),
];
