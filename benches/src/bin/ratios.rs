//! Prints how `rtmp-proto` compares with the bare copies and the targets.

use std::time::Duration;

use rtmp_benches::{
    memcpy::ByHand,
    ours::Ours,
    ratios::{Inputs, table},
};

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let inputs = Inputs::new();
    let results: Vec<_> = inputs
        .rows(&[&Ours, &ByHand])
        .into_iter()
        .filter(|row| row.title.contains(&filter))
        .map(|row| row.measure(TIME))
        .collect();
    print!("{}", table(&results));
}

/// For each row.
const TIME: Duration = Duration::from_millis(1000);
