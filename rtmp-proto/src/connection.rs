//! Handshake, then chunks: everything of a session that is not a command.

#[cfg(feature = "rtmpe")]
use alloc::vec::Vec;
use core::{mem, time::Duration};

use bytes::Buf;

#[cfg(feature = "rtmpe")]
use crate::rtmpe::Ciphers;
use crate::{
    chunk::{
        ChunkDecoder, ChunkEncoder, ChunkError, ChunkStreamId, HeaderCompression, Interleaver,
        RawMessage, Turn,
    },
    config::ConnectionConfig,
    error::{Error, Timeout},
    flv::FrameKind,
    handshake::{Handshake, HandshakeReport},
    limits::Limits,
    message::{Aggregate, BandwidthLimit, Control, MessageError, SwfVerification, UserControl},
    relay::Wire,
    stats::{MessageCounts, Stats},
    time::Instant,
    transmit::{SendQueue, Transmit},
};

/// One connection below the level of commands.
///
/// Owns the only output queue. What protocol control messages and pings do happens here.
#[derive(Debug)]
pub(crate) struct Connection {
    /// `Some` until it is finished.
    handshake: Option<Handshake>,
    report: HandshakeReport,
    /// Those in force: lower ones until [`trust`](Self::trust).
    limits: Limits,
    decoder: ChunkDecoder,
    /// Of an encrypted connection, once the handshake is finished.
    #[cfg(feature = "rtmpe")]
    ciphers: Option<Ciphers>,
    /// What is left of the last aggregate: never nothing.
    parts: Option<Aggregate>,
    swf: Option<SwfVerification>,
    encoder: ChunkEncoder,
    /// Messages that are not encoded yet, if they are sent in turns.
    interleaver: Option<Interleaver>,
    output: SendQueue,
    acks: Acknowledgements,
    bandwidth: PeerBandwidth,
    replies: ControlReplies,
    liveness: Liveness,
    stall: StallDetector,
    started: Instant,
    received: MessageCounts,
    sent: MessageCounts,
    ignored: u64,
    window_out: Option<u32>,
}

impl Connection {
    /// `swf` is what to say when the peer asks for it.
    pub(crate) fn new(
        now: Instant,
        handshake: Handshake,
        config: &ConnectionConfig,
        swf: Option<SwfVerification>,
    ) -> Self {
        let limits = config.limits.early();
        let mut connection = Self {
            report: handshake.report(),
            handshake: Some(handshake),
            decoder: ChunkDecoder::new(&limits, config.leniency),
            limits,
            #[cfg(feature = "rtmpe")]
            ciphers: None,
            parts: None,
            swf,
            encoder: ChunkEncoder::new(config.header_compression),
            interleaver: config.interleaving.then(Interleaver::new),
            output: SendQueue::new(),
            acks: Acknowledgements::default(),
            bandwidth: PeerBandwidth {
                is_enforced: config.enforce_peer_bandwidth,
                ..PeerBandwidth::default()
            },
            replies: ControlReplies::default(),
            liveness: Liveness::new(now, config.ping_interval),
            stall: StallDetector::new(now, config.limits.write_stall_timeout),
            started: now,
            received: MessageCounts::default(),
            sent: MessageCounts::default(),
            ignored: 0,
            window_out: None,
        };
        connection.queue_handshake();
        connection
    }

    /// Consumes `input` up to the end of the handshake, or all of it; tells whether the handshake is
    /// done.
    pub(crate) fn shake_hands(
        &mut self,
        now: Instant,
        input: &mut impl Buf,
    ) -> Result<bool, Error> {
        let before = input.remaining();
        let result = match &mut self.handshake {
            Some(handshake) => handshake.handle_input(now, input),
            None => Ok(()),
        };
        self.heard(now, before - input.remaining());
        self.queue_handshake();
        result?;
        Ok(self.is_open())
    }

    /// Consumes `input` up to the end of a message, or all of it (`None`).
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        input: &mut impl Buf,
    ) -> Result<Option<RawMessage>, ChunkError> {
        let before = input.remaining();
        let received = self.decode(input);
        self.heard(now, before - input.remaining());
        received
    }

    fn decode(&mut self, input: &mut impl Buf) -> Result<Option<RawMessage>, ChunkError> {
        #[cfg(feature = "rtmpe")]
        if let Some(ciphers) = &mut self.ciphers {
            return self.decoder.decode(&mut ciphers.incoming.read(input));
        }
        self.decoder.decode(input)
    }

    /// So many bytes have come.
    #[inline]
    fn heard(&mut self, now: Instant, bytes: usize) {
        if bytes > 0 {
            self.acks.count(bytes);
            self.liveness.heard(now);
        }
    }

    /// The peer is one that `limits` are meant for: `connect` was accepted.
    pub(crate) fn trust(&mut self, limits: &Limits) {
        self.decoder.set_limits(limits);
        self.limits = limits.clone();
    }

    /// A message is complete, be it one that is ignored.
    #[inline]
    pub(crate) fn count_message(&mut self, now: Instant) {
        self.received.messages += 1;
        self.liveness.last_message = now;
    }

    #[inline]
    pub(crate) fn count_frame(&mut self, kind: &FrameKind) {
        self.received.count_frame(kind);
    }

    /// The parts of an aggregate come before all further input.
    pub(crate) fn begin_parts(&mut self, parts: Aggregate) {
        self.parts = Some(parts);
    }

    /// The next part of the last aggregate.
    pub(crate) fn next_part(&mut self) -> Option<Result<RawMessage, MessageError>> {
        let parts = self.parts.as_mut()?;
        let part = parts.next();
        if parts.is_empty() {
            self.parts = None;
        }
        part
    }

    /// Whether there is more of the last aggregate.
    #[inline]
    pub(crate) fn has_parts(&self) -> bool {
        self.parts.is_some()
    }

    /// Does what a protocol control message says.
    pub(crate) fn on_control(&mut self, control: Control) {
        match control {
            Control::SetChunkSize(size) => self.decoder.set_chunk_size(size),
            Control::Abort { csid } => {
                if let Some(csid) = ChunkStreamId::new(csid) {
                    self.decoder.abort(csid);
                }
            }
            Control::Acknowledgement { sequence } => self.bandwidth.acknowledged = Some(sequence),
            Control::WindowAckSize { window } => self.acks.window = Some(window),
            Control::SetPeerBandwidth { window, limit } => {
                self.bandwidth.update(window, limit);
                if self.window_out != Some(window) {
                    self.replies.window_ack_size = Some(window);
                }
            }
        }
    }

    /// Answers what can be answered without the session, and gives the rest back.
    pub(crate) fn on_user_control(&mut self, event: UserControl) -> Option<UserControl> {
        match event {
            UserControl::PingRequest(time) => self.replies.pong = Some(time),
            UserControl::PingResponse(_) => {}
            UserControl::SwfVerifyRequest if self.swf.is_some() => self.replies.swf = true,
            event => return Some(event),
        }
        None
    }

    /// Queues what the handshake wants to send, and drops it once it is finished.
    fn queue_handshake(&mut self) {
        let Some(handshake) = &mut self.handshake else {
            return;
        };
        while let Some(bytes) = handshake.poll_transmit() {
            self.output.share(bytes.into());
        }
        self.report = handshake.report();
        if handshake.is_finished() {
            #[cfg(feature = "rtmpe")]
            {
                self.ciphers = handshake.take_ciphers();
            }
            self.handshake = None;
        }
    }

    /// Queues media, which may overtake larger media.
    pub(crate) fn send(&mut self, csid: ChunkStreamId, message: &RawMessage) {
        self.queue(csid, message, Turn::InTurn);
    }

    /// Queues a command, which comes after all that was sent before. Answers, on which nothing
    /// depends but what the peer waits for, may overtake media.
    pub(crate) fn send_command(&mut self, message: &RawMessage, is_answer: bool) {
        let turn = match is_answer {
            true => Turn::AtOnce,
            false => Turn::AfterAll,
        };
        self.queue(ChunkStreamId::COMMAND, message, turn);
    }

    /// Queues a protocol control message and applies it to what follows.
    pub(crate) fn send_control(&mut self, control: Control) {
        if let Control::SetChunkSize(size) = control {
            // Some readers count on the size not to change within a message.
            self.encode_until(usize::MAX);
            self.queue(ChunkStreamId::CONTROL, &control.encode(), Turn::AtOnce);
            self.encode_until(usize::MAX);
            return self.encoder.set_chunk_size(size);
        }
        self.queue(ChunkStreamId::CONTROL, &control.encode(), Turn::AtOnce);
        if let Control::WindowAckSize { window } = control {
            self.window_out = Some(window);
        }
    }

    /// Queues a user control message.
    pub(crate) fn send_user_control(&mut self, event: &UserControl) {
        let turn = match event {
            UserControl::PingRequest(_)
            | UserControl::PingResponse(_)
            | UserControl::SetBufferLength { .. }
            | UserControl::SwfVerifyRequest
            | UserControl::SwfVerifyResponse(_) => Turn::AtOnce,
            // They say how far a stream is.
            _ => Turn::AfterAll,
        };
        self.queue(ChunkStreamId::CONTROL, &event.encode(), turn);
    }

    fn queue(&mut self, csid: ChunkStreamId, message: &RawMessage, turn: Turn) {
        self.sent.messages += 1;
        match &mut self.interleaver {
            Some(interleaver) => interleaver.push(csid, message.clone(), turn),
            None => self.write(|encoder, output| encoder.encode(csid, message, output)),
        }
    }

    /// Encodes messages that wait for their turn until `len` bytes of output wait.
    fn encode_until(&mut self, len: usize) {
        let Some(mut interleaver) = self.interleaver.take() else {
            return;
        };
        while self.output.len() < len
            && self.write(|encoder, output| interleaver.write_chunk(encoder, output))
        {}
        self.interleaver = Some(interleaver);
    }

    /// Adds what `encode` writes to the output.
    fn write<T>(&mut self, encode: impl FnOnce(&mut ChunkEncoder, &mut SendQueue) -> T) -> T {
        #[cfg(feature = "rtmpe")]
        if let Some(ciphers) = &mut self.ciphers {
            let mut plain = SendQueue::new();
            let result = encode(&mut self.encoder, &mut plain);
            let mut bytes = Vec::with_capacity(plain.len());
            while let Some(mut transmit) = plain.transmit() {
                let len = transmit.chunk().len();
                bytes.extend_from_slice(transmit.chunk());
                transmit.advance(len);
            }
            ciphers.outgoing.apply(&mut bytes);
            self.output.share(bytes.into());
            return result;
        }
        encode(&mut self.encoder, &mut self.output)
    }

    /// Queues messages encoded before, if they are as this connection's encoder would make them and
    /// nothing else is to be done to them.
    pub(crate) fn send_wire(&mut self, wire: &Wire) -> bool {
        let is_alike = wire.chunk_size == self.encoder.chunk_size()
            && self.encoder.compression() == HeaderCompression::Off
            && self.interleaver.is_none();
        #[cfg(feature = "rtmpe")]
        let is_alike = is_alike && self.ciphers.is_none();
        if is_alike {
            for piece in &wire.pieces {
                self.output.share(piece.clone());
            }
            self.sent.add(&wire.counts);
        }
        is_alike
    }

    /// Bytes of messages that are not encoded yet.
    #[inline]
    fn pending_len(&self) -> usize {
        self.interleaver
            .as_ref()
            .map_or(0, Interleaver::pending_len)
    }

    /// Whether media must wait: the queue has reached its limit, or the peer's bandwidth limit is
    /// enforced and unacknowledged.
    pub(crate) fn is_congested(&self) -> bool {
        let sent = self.output.total() + self.pending_len() as u64;
        self.is_backlogged() || self.bandwidth.is_exhausted(sent)
    }

    /// Whether the peer fails to take our replies, so that it must not cause more.
    #[inline]
    pub(crate) fn is_backlogged(&self) -> bool {
        self.queued_len() > self.limits.output_queue
    }

    #[inline]
    pub(crate) fn queued_len(&self) -> usize {
        self.output.len() + self.pending_len()
    }

    #[inline]
    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        if self.acks.is_due() || !self.replies.is_empty() {
            self.queue_replies();
        }
        if self.interleaver.is_some() {
            self.encode_until(ENCODED_AHEAD);
        }
        self.output.transmit()
    }

    /// Queues the answers that are due to pings, windows and received bytes, of which at most one
    /// each is in the queue: a peer that causes many and reads none gets the latest.
    fn queue_replies(&mut self) {
        if self.handshake.is_some() || self.output.written() < self.replies.queued_until {
            return;
        }
        let sequence = self.acks.take_due();
        let pong = self.replies.pong.take();
        // Announced in the meantime, perhaps.
        let window = self.replies.window_ack_size.take();
        let window = window.filter(|window| self.window_out != Some(*window));
        let swf = mem::take(&mut self.replies.swf);
        if sequence.is_none() && pong.is_none() && window.is_none() && !swf {
            return;
        }
        if let Some(window) = window {
            self.send_control(Control::WindowAckSize { window });
        }
        if let Some(sequence) = sequence {
            self.send_control(Control::Acknowledgement { sequence });
        }
        if let Some(time) = pong {
            self.send_user_control(&UserControl::PingResponse(time));
        }
        if swf && let Some(proof) = self.swf.and_then(|swf| swf.answer(&self.report)) {
            self.send_user_control(&proof);
        }
        // What still waits for its turn after this is next, so it need not be counted.
        self.encode_until(ENCODED_AHEAD);
        self.replies.queued_until = self.output.total();
    }

    /// The next moment at which [`handle_timeout`](Self::handle_timeout) has something to do.
    ///
    /// A peer is not pinged while `is_listening` is false: its answer would not be heard.
    pub(crate) fn poll_timeout(&self, is_listening: bool) -> Option<Instant> {
        let is_pinging = is_listening && self.handshake.is_none();
        let ping = is_pinging.then(|| self.liveness.deadline());
        let stall = (self.queued_len() > 0).then(|| self.stall.deadline());
        [ping.flatten(), stall].into_iter().flatten().min()
    }

    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        is_listening: bool,
    ) -> Result<(), Timeout> {
        let is_waiting = self.queued_len() > 0;
        self.stall.check(now, is_waiting, self.output.written())?;
        let is_pinging = is_listening && self.handshake.is_none();
        if !is_pinging || self.liveness.deadline().is_none_or(|at| now < at) {
            return Ok(());
        }
        match self.liveness.pinged {
            // The pong of a slow player sits behind its own backlog; the stall detector judges it.
            Some(ping) if is_waiting => {
                self.liveness.pinged = Some(Ping { at: now, ..ping });
            }
            Some(ping) if self.output.written() <= ping.sent_until => return Err(Timeout::Ping),
            // Never pinged, or it still reads: some players answer no ping at all.
            _ => {
                self.send_user_control(&UserControl::PingRequest(now.as_wire_millis()));
                self.liveness.pinged = Some(Ping {
                    at: now,
                    sent_until: self.output.total(),
                });
            }
        }
        Ok(())
    }

    /// The peer's silence begins now: it was not listened to before.
    pub(crate) fn listen_again(&mut self, now: Instant) {
        self.liveness.listening_since = now;
        self.liveness.pinged = None;
    }

    /// Since when the peer has owed a message.
    pub(crate) fn silent_since(&self) -> Instant {
        self.liveness
            .last_message
            .max(self.liveness.listening_since)
    }

    pub(crate) fn count_sent_frame(&mut self, kind: &FrameKind) {
        self.sent.count_frame(kind);
    }

    pub(crate) fn count_ignored(&mut self) {
        self.ignored += 1;
    }

    pub(crate) fn is_open(&self) -> bool {
        self.handshake.is_none()
    }

    /// Whether the end of input now would cut something short.
    pub(crate) fn is_mid_message(&self) -> bool {
        self.handshake.is_some() || self.decoder.is_mid_message()
    }

    pub(crate) fn handshake_report(&self) -> &HandshakeReport {
        &self.report
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            started: self.started,
            last_activity: self.liveness.last_received,
            bytes_received: self.acks.received,
            bytes_sent: self.output.written(),
            received: self.received,
            sent: self.sent,
            ignored: self.ignored,
            dropped_by_peer: self.decoder.dropped_messages(),
            acknowledged: self.bandwidth.acknowledged.unwrap_or_default(),
            chunk_size_in: self.decoder.chunk_size(),
            chunk_size_out: self.encoder.chunk_size(),
            window_in: self.acks.window,
            window_out: self.window_out,
        }
    }
}

/// Counts received bytes and knows when to acknowledge them: at half the peer's window, so that the
/// answer is on its way before the peer runs out. [RTMP 1.0 §5.4.3], CHECKLIST A-13
#[derive(Debug, Default)]
struct Acknowledgements {
    received: u64,
    acknowledged: u64,
    /// The window the peer announced; 0 turns acknowledgements off.
    window: Option<u32>,
}

impl Acknowledgements {
    fn count(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    #[inline]
    fn is_due(&self) -> bool {
        let window = self.window.unwrap_or(DEFAULT_WINDOW);
        let due = u64::from(window / 2).max(1);
        window != 0 && self.received - self.acknowledged >= due
    }

    /// The sequence number to send, if one is due; it counts as sent.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the sequence number is defined modulo 2^32"
    )]
    fn take_due(&mut self) -> Option<u32> {
        if !self.is_due() {
            return None;
        }
        self.acknowledged = self.received;
        Some(self.received as u32)
    }
}

/// The limit the peer sets on what we send unacknowledged. [RTMP 1.0 §5.4.5], CHECKLIST A-14
#[derive(Debug, Default)]
struct PeerBandwidth {
    is_enforced: bool,
    limit: Option<u32>,
    last_type: Option<BandwidthLimit>,
    acknowledged: Option<u32>,
}

impl PeerBandwidth {
    fn update(&mut self, window: u32, limit: BandwidthLimit) {
        match limit {
            BandwidthLimit::HARD => self.limit = Some(window),
            BandwidthLimit::SOFT => {
                self.limit = Some(self.limit.map_or(window, |in_force| in_force.min(window)));
            }
            BandwidthLimit::DYNAMIC if self.last_type == Some(BandwidthLimit::HARD) => {
                self.limit = Some(window);
                // "Treated as hard" includes what the next dynamic limit looks back on.
                return;
            }
            _ => {}
        }
        self.last_type = Some(limit);
    }

    /// Whether `sent` bytes are more than the limit ahead of the last acknowledgement.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the sequence number is defined modulo 2^32"
    )]
    fn is_exhausted(&self, sent: u64) -> bool {
        let outstanding = (sent as u32).wrapping_sub(self.acknowledged.unwrap_or(0));
        self.is_enforced && self.limit.is_some_and(|limit| outstanding > limit)
    }
}

/// Answers that wait to be queued, the latest of each kind.
#[derive(Debug, Default)]
struct ControlReplies {
    pong: Option<u32>,
    window_ack_size: Option<u32>,
    /// The proof of the SWF file was asked for.
    swf: bool,
    /// Position in the output up to which the last such answers reach.
    queued_until: u64,
}

impl ControlReplies {
    #[inline]
    fn is_empty(&self) -> bool {
        self.pong.is_none() && self.window_ack_size.is_none() && !self.swf
    }
}

/// Whether the peer is there: it is pinged after a silence, and given up after as much again in
/// which it neither sent nor took a byte.
#[derive(Debug)]
struct Liveness {
    /// When the last byte arrived.
    last_received: Instant,
    /// When the last message was complete.
    last_message: Instant,
    /// Since when input has been taken without a pause for the application's answer.
    listening_since: Instant,
    pinged: Option<Ping>,
    interval: Option<Duration>,
}

/// A ping request that has no answer yet.
#[derive(Clone, Copy, Debug)]
struct Ping {
    at: Instant,
    /// Position in the output up to which it reaches.
    sent_until: u64,
}

impl Liveness {
    fn new(now: Instant, interval: Option<Duration>) -> Self {
        Self {
            last_received: now,
            last_message: now,
            listening_since: now,
            pinged: None,
            interval: interval.filter(|interval| !interval.is_zero()),
        }
    }

    fn heard(&mut self, now: Instant) {
        self.last_received = now;
        self.pinged = None;
    }

    fn deadline(&self) -> Option<Instant> {
        let silent_since = self.last_received.max(self.listening_since);
        let since = self.pinged.map_or(silent_since, |ping| ping.at);
        Some(since + self.interval?)
    }
}

/// Notices that the transport takes nothing of what is queued.
///
/// Writes are not timed (sending media takes no `now`), so it looks every half period whether any
/// byte went out since, as long as something waits.
#[derive(Debug)]
struct StallDetector {
    half_period: Duration,
    checked: Instant,
    /// Bytes written at the last look.
    written: u64,
    /// Looks in a row at which output waited, the first included; none was written since.
    looks: u32,
}

impl StallDetector {
    fn new(now: Instant, period: Duration) -> Self {
        Self {
            half_period: period / 2,
            checked: now,
            written: 0,
            looks: 0,
        }
    }

    fn deadline(&self) -> Instant {
        self.checked + self.half_period
    }

    /// `is_waiting` says whether output waits, `written` how many bytes ever went out.
    fn check(&mut self, now: Instant, is_waiting: bool, written: u64) -> Result<(), Timeout> {
        if now < self.deadline() {
            return Ok(());
        }
        self.checked = now;
        if !is_waiting {
            self.looks = 0;
        } else if written == self.written {
            self.looks += 1;
        } else {
            self.looks = 1;
        }
        self.written = written;
        match self.looks {
            ..3 => Ok(()),
            _ => Err(Timeout::WriteStall),
        }
    }
}

/// Used until the peer announces a window: FMLE and some hardware encoders announce none and stall
/// without acknowledgements.
const DEFAULT_WINDOW: u32 = 2_500_000;

/// Bytes that are encoded ahead of the transport when messages are sent in turns: enough for a
/// write, and what an urgent message waits for at least.
const ENCODED_AHEAD: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// PC-18, A-13: the sequence number goes on from 0 after 2^32 - 1.
    #[test]
    fn acknowledgements_wrap() {
        let mut acks = Acknowledgements {
            received: 0xFFFF_FFF0,
            acknowledged: 0xFFFF_FFF0,
            window: Some(64),
        };
        acks.count(31);
        assert_eq!(acks.take_due(), None);
        acks.count(1);
        assert_eq!(acks.take_due(), Some(0x10));
        acks.count(32);
        assert_eq!(acks.take_due(), Some(0x30));
        assert_eq!(acks.take_due(), None);
    }

    /// Beyond 3.95 GB, where FMLE and others were seen to stop: every half window, without a gap.
    #[test]
    fn acknowledgements_around_the_wrap_are_regular() {
        let mut acks = Acknowledgements {
            received: 0xEFFF_0000,
            acknowledged: 0xEFFF_0000,
            window: None,
        };
        let mut last = acks.received;
        let mut count = 0;
        while acks.received < 0x1_1000_0000 {
            acks.count(50_000);
            if let Some(sequence) = acks.take_due() {
                assert_eq!(u64::from(sequence), acks.received % (1 << 32));
                assert_eq!(acks.received - last, u64::from(DEFAULT_WINDOW / 2));
                last = acks.received;
                count += 1;
            }
        }
        assert_eq!(count, 429);
    }

    /// PC-25 to PC-28.
    #[test]
    fn bandwidth_table() {
        use BandwidthLimit as Type;
        type Case<'a> = (&'a [(u32, BandwidthLimit)], Option<u32>);
        let cases: [Case<'_>; 11] = [
            (&[(9, Type::HARD)], Some(9)),
            (&[(9, Type::HARD), (12, Type::HARD)], Some(12)),
            (&[(9, Type::SOFT)], Some(9)),
            (&[(9, Type::HARD), (12, Type::SOFT)], Some(9)),
            (&[(9, Type::HARD), (5, Type::SOFT)], Some(5)),
            (&[(9, Type::DYNAMIC)], None),
            (&[(9, Type::HARD), (12, Type::DYNAMIC)], Some(12)),
            (
                &[(9, Type::HARD), (12, Type::DYNAMIC), (7, Type::DYNAMIC)],
                Some(7),
            ),
            (&[(9, Type::SOFT), (12, Type::DYNAMIC)], Some(9)),
            (&[(9, BandwidthLimit(3))], None),
            (&[(9, Type::HARD), (1, BandwidthLimit(255))], Some(9)),
        ];
        for (updates, expected) in cases {
            let mut bandwidth = PeerBandwidth::default();
            for (window, limit) in updates {
                bandwidth.update(*window, *limit);
            }
            assert_eq!(bandwidth.limit, expected, "{updates:?}");
        }
    }

    /// The count of what is outstanding survives the wrap of both numbers.
    #[test]
    fn outstanding_bytes_wrap() {
        let bandwidth = PeerBandwidth {
            is_enforced: true,
            limit: Some(100),
            acknowledged: Some(0xFFFF_FFF0),
            ..PeerBandwidth::default()
        };
        assert!(!bandwidth.is_exhausted(0x1_0000_0000 + 84));
        assert!(bandwidth.is_exhausted(0x1_0000_0000 + 85));
    }
}
