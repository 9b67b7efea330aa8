//! `rtmp publish`.

use crate::args::PublishArgs;

pub(crate) async fn run(_args: PublishArgs) -> anyhow::Result<()> {
    anyhow::bail!("not there yet")
}
