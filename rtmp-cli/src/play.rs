//! `rtmp play`.

use crate::args::PlayArgs;

pub(crate) async fn run(_args: PlayArgs) -> anyhow::Result<()> {
    anyhow::bail!("not there yet")
}
