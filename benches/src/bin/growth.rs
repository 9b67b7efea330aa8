//! Prints the cost of one operation against what might make it grow, as a table in Markdown: the best
//! of several rounds.
#![allow(
    clippy::indexing_slicing,
    reason = "a panic ends a measurement, and that is all"
)]

use std::time::Instant;

use rtmp_benches::growth::groups;

fn main() {
    println!("| varied | for each | from small to large: nanoseconds |");
    println!("|---|---|---|");
    for group in groups() {
        let cells: Vec<_> = group
            .cases
            .into_iter()
            .map(|mut case| {
                let mut times: Vec<_> = (0..ROUNDS)
                    .map(|_| {
                        let begin = Instant::now();
                        (case.work)();
                        begin.elapsed().as_secs_f64()
                    })
                    .collect();
                times.sort_by(f64::total_cmp);
                let nanoseconds = times[0] * 1e9 / case.operations as f64;
                format!("{}: {nanoseconds:.1}", case.size)
            })
            .collect();
        println!(
            "| {} | {} | {} |",
            group.title,
            group.operation,
            cells.join(", ")
        );
    }
}

const ROUNDS: usize = 21;
