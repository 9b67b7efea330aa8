//! A stream and who plays it.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

use rtmp_proto::{
    flv::Frame,
    relay::{Cached, GopCache, Pushed, Queue, QueueLimits, Timeline},
};

/// A stream that is published, or waited for.
#[derive(Default)]
pub(super) struct Channel {
    pub(super) is_published: bool,
    cache: GopCache,
    timeline: Timeline,
    pub(super) players: Vec<Weak<Feed>>,
}

/// What one player is to get; no queue if it took nothing for far too long.
pub(super) struct Feed {
    pub(super) queue: RefCell<Option<Queue>>,
    wake: Rc<dyn Fn()>,
}

impl Channel {
    /// A player begins with the latest key frame.
    pub(super) fn play(&mut self, wake: Rc<dyn Fn()>) -> Rc<Feed> {
        let mut queue = Queue::new(QueueLimits::default());
        queue.start_with(self.cache.frames());
        let queue = RefCell::new(Some(queue));
        let feed = Rc::new(Feed { queue, wake });
        self.players.push(Rc::downgrade(&feed));
        feed
    }

    pub(super) fn push(&mut self, frame: Frame) {
        let frame = self.timeline.place(frame);
        if self.cache.push(&frame) == Cached::New {
            for feed in self.players.iter().filter_map(Weak::upgrade) {
                let mut queue = feed.queue.borrow_mut();
                queue.take_if(|queue| queue.push(frame.clone()) == Pushed::Refused);
                (feed.wake)();
            }
        }
    }

    /// Players stay: if it is published again, time goes on for them.
    pub(super) fn unpublish(&mut self) {
        self.is_published = false;
        self.cache.clear();
        self.timeline.restart();
        for feed in self.players.iter().filter_map(Weak::upgrade) {
            feed.queue.borrow_mut().as_mut().map(Queue::resync);
        }
    }
}
