//! The right to take one of a limited number of places.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tracing::{info, warn};

use super::notice::Notice;
use crate::args::Maximum;

/// A limited number of places for one kind of client.
#[derive(Debug)]
pub(super) struct Pool {
    /// Whom it is for, in the plural.
    what: &'static str,
    places: Maximum,
    taken: AtomicUsize,
    refusals: Notice,
}

impl Pool {
    pub(super) fn new(what: &'static str, places: Maximum) -> Arc<Self> {
        Arc::new(Self {
            what,
            places,
            taken: AtomicUsize::new(0),
            refusals: Notice::default(),
        })
    }

    /// Takes a place, if there is one.
    pub(super) fn take(self: &Arc<Self>) -> Option<Permit> {
        let one_more = |taken| self.places.allows(taken).then_some(taken + 1);
        let taken = self
            .taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        if taken.is_ok() {
            let pool = Arc::clone(self);
            return Some(Permit { pool });
        }
        if let Some(refused) = self.refusals.happens() {
            warn!(limit = %self.places, refused, "too many {}: more are refused", self.what);
        }
        None
    }

    /// Places taken now.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }
}

/// One place of a [`Pool`], given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    pool: Arc<Pool>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let pool = &self.pool;
        pool.taken.fetch_sub(1, Ordering::AcqRel);
        if let Some(refused) = pool.refusals.is_over() {
            info!(limit = %pool.places, refused, "there is room for {} again", pool.what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let pool = Pool::new("clients", Maximum::from(2));
        let first = pool.take().unwrap();
        let _second = pool.take().unwrap();
        assert!(pool.take().is_none());
        assert!(pool.take().is_none());
        assert_eq!(pool.taken(), 2);
        drop(first);
        let _third = pool.take().unwrap();
        assert!(pool.take().is_none());
    }

    /// Never more than there are, whoever else takes and gives at the same time.
    #[test]
    fn threads_do_not_share_a_place() {
        let pool = Pool::new("clients", Maximum::from(3));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let permits = [pool.take(), pool.take()];
                        assert!(pool.taken() <= 3);
                        drop(permits);
                    }
                });
            }
        });
        assert_eq!(pool.taken(), 0);
    }
}
