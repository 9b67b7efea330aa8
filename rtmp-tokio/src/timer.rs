//! Waiting.

use std::time::Duration;

use tokio::time;

pub(crate) use tokio::time::sleep;

/// What `future` comes to, `None` if that takes longer than `limit`.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    time::timeout(limit, future).await.ok()
}
