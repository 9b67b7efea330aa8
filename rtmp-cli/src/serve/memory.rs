//! How much is kept for players and recordings, over all streams.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tracing::{info, warn};

use super::notice::Notice;

/// Bytes that all streams and recordings together may keep.
///
/// As long as they keep less, each may keep as much as its own limits allow. Beyond, whoever has more
/// than an equal share goes down to it, and whoever has less is left alone: so what a few hold does
/// not cost the others anything, and together they come down to the limit as each goes on.
#[derive(Debug)]
pub(super) struct Memory {
    limit: usize,
    held: AtomicUsize,
    /// Accounts that hold something: many players may wait for streams that are not there.
    holders: AtomicUsize,
    excess: Notice,
}

impl Memory {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            held: AtomicUsize::new(0),
            holders: AtomicUsize::new(0),
            excess: Notice::default(),
        })
    }

    /// For one more that keeps something.
    pub(super) fn open(self: &Arc<Self>) -> Account {
        Account {
            memory: Arc::clone(self),
            held: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Acquire)
    }
}

/// What one stream or recording keeps; nothing any more when dropped.
#[derive(Debug)]
pub(super) struct Account {
    memory: Arc<Memory>,
    held: usize,
}

impl Account {
    /// This is what it keeps now. What it is to go down to, if that is too much.
    #[must_use = "what it is to go down to"]
    pub(super) fn hold(&mut self, bytes: usize) -> Option<usize> {
        let total = self.set(bytes);
        let memory = &self.memory;
        if total <= memory.limit {
            if let Some(times) = memory.excess.is_over() {
                info!(
                    held = total,
                    limit = memory.limit,
                    times,
                    "streams keep less again"
                );
            }
            return None;
        }
        let holders = memory.holders.load(Ordering::Acquire).max(1);
        let share = memory.limit / holders;
        if bytes <= share {
            return None;
        }
        if let Some(times) = memory.excess.happens() {
            warn!(
                held = total,
                limit = memory.limit,
                share,
                times,
                "streams keep too much: slow players of the largest lose frames"
            );
        }
        Some(share)
    }

    /// What all hold when this one holds `bytes`.
    fn set(&mut self, bytes: usize) -> usize {
        let memory = &self.memory;
        match (self.held, bytes) {
            (0, 1..) => _ = memory.holders.fetch_add(1, Ordering::AcqRel),
            (1.., 0) => _ = memory.holders.fetch_sub(1, Ordering::AcqRel),
            _ => {}
        }
        // If it is less than before, this wraps around, and so does the sum.
        let more = bytes.wrapping_sub(self.held);
        self.held = bytes;
        let before = memory.held.fetch_add(more, Ordering::AcqRel);
        before.wrapping_add(more)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_may_have_all_while_others_need_little() {
        let memory = Memory::new(100);
        let (mut large, mut small) = (memory.open(), memory.open());
        assert_eq!(large.hold(90), None);
        assert_eq!(small.hold(10), None);
        // Too much, which is not this one's fault.
        assert_eq!(small.hold(20), None);
        assert_eq!(large.hold(90), Some(50));
        assert_eq!(large.hold(50), None);
        assert_eq!(small.hold(50), None);
        assert_eq!(small.hold(51), Some(50));
    }

    /// Players that wait for streams that are not there take no share.
    #[test]
    fn who_holds_nothing_has_no_share() {
        let memory = Memory::new(100);
        let mut accounts: Vec<_> = (0..10).map(|_| memory.open()).collect();
        for account in &mut accounts {
            assert_eq!(account.hold(0), None);
            assert_eq!(account.hold(5), None);
            assert_eq!(account.hold(0), None);
        }
        let mut large = memory.open();
        assert_eq!(large.hold(101), Some(100));
    }

    #[test]
    fn what_is_dropped_is_given_back() {
        let memory = Memory::new(100);
        let (mut one, mut other) = (memory.open(), memory.open());
        assert_eq!(one.hold(100), None);
        assert_eq!(other.hold(60), Some(50));
        drop(one);
        assert_eq!(other.hold(100), None);
        assert_eq!(memory.held(), 100);
        drop(other);
        assert_eq!(memory.held(), 0);
    }

    /// However many come and whatever they want: once each has done as it was told, the sum is
    /// within the limit.
    #[test]
    fn together_they_come_down_to_the_limit() {
        let memory = Memory::new(1000);
        let mut accounts: Vec<_> = (0..30).map(|_| memory.open()).collect();
        for (wanted, account) in (0..).map(|n| n * 13).zip(&mut accounts) {
            let _ = account.hold(wanted);
        }
        for (wanted, account) in (0..).map(|n| n * 13).zip(&mut accounts) {
            if let Some(share) = account.hold(wanted) {
                assert_eq!(account.hold(share), None);
            }
        }
        assert!(memory.held() <= 1000, "{}", memory.held());
    }
}
