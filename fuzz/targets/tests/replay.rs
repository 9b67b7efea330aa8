//! The corpora, and every input that once failed, without a fuzzer.

use std::{fs, path::Path};

use rtmp_fuzz_targets::TARGETS;

/// Every seed of every target.
#[test]
fn corpus() {
    replay("../corpus");
}

/// Every input that once failed.
#[test]
fn regressions() {
    replay("../regressions");
}

/// Inputs that are next to nothing, and what is no input of the target at all.
#[test]
fn trifles() {
    for (_, run) in TARGETS {
        for len in 0..40 {
            run(&vec![0; len]);
            run(&vec![0xFF; len]);
        }
    }
}

/// Each target is a program, too, and has a corpus.
#[test]
fn complete() {
    let names = |path: &str| {
        let mut names: Vec<_> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let targets: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names("../fuzz_targets"), targets);
    assert_eq!(names("../corpus"), targets);
}

fn replay(path: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    for (name, run) in TARGETS {
        let Ok(entries) = fs::read_dir(root.join(name)) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            // Shown if it fails.
            println!("{}", path.display());
            run(&fs::read(&path).unwrap());
        }
    }
}
