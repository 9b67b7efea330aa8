//! Counts the instructions of hot paths and compares them with those committed.
//!
//! Unlike times they are the same on every run, so that a change of a few per cent is one of the
//! program. `--save` writes the counts found to `benches/instructions.txt`.

#![allow(
    clippy::indexing_slicing,
    reason = "a panic ends a measurement, and that is all"
)]

use std::{
    collections::BTreeMap,
    env, fs,
    hint::black_box,
    process::{Command, ExitCode},
};

use rtmp_benches::{
    Contender, Workload,
    dialogue::{Dialogue, digest_hello},
    ours::Ours,
    ratios::PIECES,
    socket::Sender,
    values::Sample,
};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run", name] => {
            run(name);
            ExitCode::SUCCESS
        }
        [] => report(compare()),
        ["--save"] => report(save()),
        _ => report(Err("usage: instructions [--save]".into())),
    }
}

fn report(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> Result<(), String> {
    let text = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
    let committed: BTreeMap<&str, f64> = text
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter_map(|(name, count)| Some((name, count.parse().ok()?)))
        .collect();
    let mut failures = Vec::new();
    for name in PATHS {
        let count = count(name)?;
        let Some(committed) = committed.get(name) else {
            failures.push(format!("{name}: no count is committed"));
            continue;
        };
        let change = (count as f64 / committed - 1.0) * 100.0;
        println!("{name}: {count} ({change:+.1} %)");
        if change > TOLERANCE_PERCENT {
            failures.push(format!("{name}: {change:.1} % more instructions"));
        } else if change < -TOLERANCE_PERCENT {
            println!("{name}: better by so much that it should be saved");
        }
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "{}\nIf this is meant: cargo run --release -p rtmp-benches --bin instructions -- --save",
            failures.join("\n")
        )),
    }
}

fn save() -> Result<(), String> {
    let mut text = String::new();
    for name in PATHS {
        let count = count(name)?;
        println!("{name}: {count}");
        text += &format!("{name}: {count}\n");
    }
    fs::write(FILE, text).map_err(|error| format!("{FILE}: {error}"))
}

/// The instructions of one path, counted by callgrind.
fn count(name: &str) -> Result<u64, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=*measured*"])
        .arg(program)
        .args(["run", name])
        // Which way of copying the C library takes depends on the processor otherwise.
        .env(
            "GLIBC_TUNABLES",
            "glibc.cpu.x86_rep_movsb_threshold=0x40000000",
        )
        .output()
        .map_err(|error| format!("valgrind cannot be run ({error}); apt-get install valgrind"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
        .filter(|&count| count > 0)
        .ok_or_else(|| format!("callgrind has counted nothing for {name}:\n{text}"))
}

/// Does the work of one path twice, the second time counted: caches of the allocator are filled then.
fn run(name: &str) {
    let live = Workload::live(4096);
    let audio = Workload::audio();
    let tiny = Workload::live(128);
    let dialogue = Dialogue::publishing(4096);
    let hello = digest_hello();
    let metadata = Sample::metadata();
    let mut sender = Sender::new();
    let mut out = Vec::new();
    let decode = |workload: &Workload| {
        let sink = &mut |_, _, payload: &[u8]| {
            black_box(payload);
        };
        Ours.decode(workload, PIECES[1], sink).expect("it decodes");
    };
    let mut encode_live = Ours.encoder(&live.messages, 4096).expect("it encodes");
    let mut encode_audio = Ours.encoder(&audio.messages, 4096).expect("it encodes");
    let mut fan_out = Ours
        .fan_out(&live.messages[..20], 4096, 100)
        .expect("it encodes");
    let mut serve_players = Ours
        .serve_players(&live.messages[..20], 4096, 100)
        .expect("they play");
    let mut encode_values = Ours.encode_values(&metadata).expect("it encodes");
    let mut work = || match name {
        "decode" => decode(&live),
        "decode small chunks" => decode(&tiny),
        "decode audio" => decode(&audio),
        "encode" => encode_live(&mut sender),
        "encode audio" => encode_audio(&mut sender),
        "fan-out" => fan_out(&mut sender),
        "fan-out to sessions" => serve_players(&mut sender),
        "session ingest" => {
            let sink = &mut |_, _, payload: &[u8]| {
                black_box(payload);
            };
            Ours.ingest(&dialogue, &live, PIECES[1], sink)
                .expect("it publishes");
        }
        "session set-up" => {
            Ours.set_up(&dialogue).expect("it publishes");
        }
        "digest handshake" => {
            Ours.digest_handshake(&hello).expect("it answers");
        }
        "AMF0 decode" => {
            Ours.decode_values(&metadata.bytes).expect("it decodes");
        }
        "AMF0 encode" => {
            out.clear();
            encode_values(&mut out);
        }
        _ => eprintln!("there is no path {name}"),
    };
    work();
    measured(&mut work);
}

/// Callgrind knows it by its name.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
    black_box(work);
}

const PATHS: [&str; 12] = [
    "decode",
    "decode small chunks",
    "decode audio",
    "encode",
    "encode audio",
    "fan-out",
    "fan-out to sessions",
    "session ingest",
    "session set-up",
    "digest handshake",
    "AMF0 decode",
    "AMF0 encode",
];

const TOLERANCE_PERCENT: f64 = 5.0;

/// Beside this crate's manifest.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");
