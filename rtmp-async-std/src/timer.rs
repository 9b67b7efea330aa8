//! Waiting.

use std::{future, pin::pin, task::Poll, time::Duration};

use async_io::Timer;

pub(crate) async fn sleep(duration: Duration) {
    Timer::after(duration).await;
}

/// What `future` comes to, `None` if that takes longer than `limit`.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let (mut future, mut timer) = (pin!(future), pin!(Timer::after(limit)));
    future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => timer.as_mut().poll(cx).map(|_| None),
    })
    .await
}
