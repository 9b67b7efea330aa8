//! A relay on `mio`: one thread, one loop, any number of connections.
//!
//! ```sh
//! cargo run -p rtmp-examples --example mio_server -- 127.0.0.1:1935
//! ffmpeg -re -i movie.mp4 -c:v libx264 -c:a aac -f flv rtmp://localhost/live/test
//! ffplay rtmp://localhost/live/test
//! ```
//!
//! Events of `mio` are edges, so a connection stays `ready` until it has nothing left to do. Each gets
//! one turn at a time, and so none waits for another that has a lot to say.

mod peer;

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    env,
    io::ErrorKind::{ConnectionAborted, Interrupted},
    mem,
    net::SocketAddr,
    rc::Rc,
    time,
};

use anyhow::Context;
use mio::{Events, Interest, Poll, Token, net::TcpListener};
use rtmp_examples::Hub;
use rtmp_proto::Instant;

use peer::Peer;

fn main() -> anyhow::Result<()> {
    let address = env::args().nth(1).and_then(|address| address.parse().ok());
    let address: SocketAddr = address.context("usage: mio_server IP-ADDRESS:PORT")?;
    let listener = TcpListener::bind(address);
    let mut listener = listener.with_context(|| format!("cannot listen on {address}"))?;
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on {}", listener.local_addr()?);

    let origin = time::Instant::now();
    let now = || Instant::from_origin(origin.elapsed());
    let mut events = Events::with_capacity(256);
    let (hub, mut peers, mut last) = (Hub::default(), HashMap::<Token, Peer>::new(), LISTENER);
    // Connections make others ready: a publisher its players.
    let ready = Rc::new(RefCell::new(BTreeSet::new()));
    // All of them read into it, so an idle one holds no memory for input.
    let mut buffer = vec![0; READ_SIZE];
    loop {
        // With many thousands of connections, keep the deadlines in a heap.
        let soon = ready.borrow().first().map(|_| now());
        let deadline = peers.values().filter_map(Peer::deadline).chain(soon).min();
        let wait = deadline.map(|at| at.saturating_duration_since(now()));
        match poll.poll(&mut events, wait) {
            Err(error) if error.kind() != Interrupted => return Err(error.into()),
            _ => {}
        }
        let late = |(token, peer): (&Token, &Peer)| {
            let is_late = peer.deadline().is_some_and(|at| at <= now());
            is_late.then_some(*token)
        };
        let mut turn = mem::take(&mut *ready.borrow_mut());
        turn.extend(events.iter().map(|event| event.token()));
        turn.extend(peers.iter().filter_map(late));
        if turn.remove(&LISTENER) {
            loop {
                let (mut io, address) = match listener.accept() {
                    Ok(accepted) => accepted,
                    Err(error) if matches!(error.kind(), Interrupted | ConnectionAborted) => {
                        continue;
                    }
                    // None waits, or there is no descriptor for it until a connection ends.
                    Err(_) => break,
                };
                last = Token(last.0 + 1);
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut io, last, interest)?;
                let (ready, token) = (Rc::clone(&ready), last);
                let wake = move || {
                    ready.borrow_mut().insert(token);
                };
                peers.insert(last, Peer::new(io, now(), &hub, wake)?);
                println!("{address}: connection {}", last.0);
            }
        }
        for token in turn {
            let Some(peer) = peers.get_mut(&token) else {
                continue;
            };
            if peer.turn(now(), &mut buffer) {
                ready.borrow_mut().insert(token);
            }
            if let Some(outcome) = peer.outcome() {
                println!("connection {}: {outcome}", token.0);
                peers.remove(&token);
                ready.borrow_mut().insert(LISTENER);
            }
        }
    }
}

const LISTENER: Token = Token(0);
const READ_SIZE: usize = 64 << 10;
