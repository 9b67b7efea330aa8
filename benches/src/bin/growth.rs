//! Prints the cost of one operation against what might make it grow, as a table in Markdown: the best
//! of several rounds, which are far apart so that other load on the machine does not hit all of them.

use std::time::Instant;

use rtmp_benches::growth::groups;

fn main() {
    let mut groups = groups();
    let mut best: Vec<Vec<f64>> = groups
        .iter()
        .map(|group| vec![f64::INFINITY; group.cases.len()])
        .collect();
    for _ in 0..ROUNDS {
        for (group, best) in groups.iter_mut().zip(&mut best) {
            for (case, best) in group.cases.iter_mut().zip(best) {
                // So that the work before does not matter.
                (case.work)();
                let begin = Instant::now();
                (case.work)();
                let nanoseconds = begin.elapsed().as_secs_f64() * 1e9 / case.operations as f64;
                *best = best.min(nanoseconds);
            }
        }
    }
    println!("| varied | for each | from small to large: nanoseconds |");
    println!("|---|---|---|");
    for (group, best) in groups.iter().zip(&best) {
        let cells: Vec<_> = group
            .cases
            .iter()
            .zip(best)
            .map(|(case, best)| format!("{}: {best:.1}", case.size))
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
