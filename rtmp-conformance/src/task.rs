//! Futures run side by side in one task, and cut off.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Runs two futures to their ends, each polled only when it was woken itself: in one task, as with
/// `join!`, a wake-up that one forgets is made good by the other's.
pub async fn apart<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut a_output, mut b_output) = (None, None);
    let task = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let (a_wake, b_wake) = (Woken::new(&task), Woken::new(&task));
    poll_fn(|_| {
        if a_output.is_none() {
            a_output = a_wake.poll(a.as_mut());
        }
        if b_output.is_none() {
            b_output = b_wake.poll(b.as_mut());
        }
        match (a_output.take(), b_output.take()) {
            (Some(a), Some(b)) => return Poll::Ready((a, b)),
            outputs => (a_output, b_output) = outputs,
        }
        Poll::Pending
    })
    .await
}

/// The same for any number of futures.
pub async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let task = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let mut futures: Vec<_> = futures
        .into_iter()
        .map(|future| (Box::pin(future), Woken::new(&task), None))
        .collect();
    poll_fn(|_| {
        for (future, woken, output) in &mut futures {
            if output.is_none() {
                *output = woken.poll(future.as_mut());
            }
        }
        match futures.iter().all(|(_, _, output)| output.is_some()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    futures
        .into_iter()
        .filter_map(|(_, _, output)| output)
        .collect()
}

/// Polls a future `polls` times, drops it, and waits to be woken; `None` if it had not come to its
/// end. Whoever asks again right away is polled as if the future still existed.
pub(crate) async fn cut_off<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let output = {
        let mut future = pin!(future);
        let mut count = 0;
        poll_fn(|cx| {
            count += 1;
            match future.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if count < polls => Poll::Pending,
                Poll::Pending => Poll::Ready(None),
            }
        })
        .await
    };
    if output.is_none() {
        woken().await;
    }
    output
}

/// Polls a future once and drops it.
pub async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Waits for a wake-up that others have arranged.
async fn woken() {
    let mut is_first = true;
    poll_fn(|_| match std::mem::take(&mut is_first) {
        true => Poll::Pending,
        false => Poll::Ready(()),
    })
    .await;
}

struct Woken {
    is_woken: AtomicBool,
    task: Waker,
}

impl Woken {
    fn new(task: &Waker) -> Arc<Self> {
        Arc::new(Self {
            is_woken: AtomicBool::new(true),
            task: task.clone(),
        })
    }

    fn poll<F: Future>(self: &Arc<Self>, future: Pin<&mut F>) -> Option<F::Output> {
        if !self.is_woken.swap(false, Ordering::AcqRel) {
            return None;
        }
        let waker = Waker::from(Arc::clone(self));
        match future.poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}
