//! Prints how `rtmp-proto` and other implementations compare on the same workloads.
//!
//! An argument selects the rows whose title contains it.

mod peers;
mod sessions;
mod values;

use std::time::Duration;

use rtmp_benches::{
    Contender,
    memcpy::ByHand,
    ours::Ours,
    ratios::{Inputs, table},
};

use peers::{Librtmp2, Oxideav, Rml, RtmpRs, RtmpRuntime, Scuffle, Shiguredo};

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let contenders: Vec<&dyn Contender> = vec![
        &Ours,
        &ByHand,
        &Rml,
        &RtmpRs,
        &Librtmp2,
        &Shiguredo,
        &RtmpRuntime,
        &Oxideav,
        &Scuffle,
        #[cfg(feature = "xiu")]
        &peers::Xiu,
    ];
    // What panics is reported in the table.
    std::panic::set_hook(Box::new(|_| {}));
    let inputs = Inputs::new();
    let results: Vec<_> = inputs
        .rows(&contenders)
        .into_iter()
        .filter(|row| row.title.contains(&filter))
        .map(|row| row.measure(TIME))
        .collect();
    print!("{}", table(&results));
}

/// For each row.
const TIME: Duration = Duration::from_secs(2);
