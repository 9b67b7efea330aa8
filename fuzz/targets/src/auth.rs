//! Authentication inside `connect`.

use std::{sync::Arc, time::Duration};

use arbitrary::{Result, Unstructured};
use rtmp_proto::{
    ClientConfig, ClientSession, ConnectParams, ConnectRequest, Instant, RtmpUrl, ServerConfig,
    ServerEvent, ServerSession, Status, StatusCode,
    auth::{Client, Credentials, Decision, Scheme, Server},
};

use crate::input::{take_output, text};

/// Whatever a server refuses a client with, the client comes to an end; and whatever name, password and
/// app there are, who knows the password is let in, and nobody else.
pub fn auth(data: &[u8]) {
    let mut u = Unstructured::new(data);
    // A structure that ends early is one as well.
    let _ = match u.arbitrary() {
        Ok(true) => refuse(&mut u),
        _ => authenticate(&mut u),
    };
}

fn refuse(u: &mut Unstructured<'_>) -> Result<()> {
    let user = text(u)?;
    let len_max = 3 * user.len() + 1000;
    let mut client = Client::new(Credentials::new(user, "password"));
    let mut steps = 0;
    while !u.is_empty() {
        let status = Status::error(StatusCode::CONNECT_REJECTED, refusal(u)?);
        let before = params(&client, "live");
        let after = match client.refused(&status, u.arbitrary()?) {
            Ok(()) => {
                steps += 1;
                params(&client, "live")
            }
            Err(_) => {
                assert_eq!(params(&client, "live"), before, "no longer as it was");
                before
            }
        };
        assert!(steps <= 2, "no end");
        if let Some(request) = connect(after) {
            for (plain, after) in [
                ("live", Some(request.app())),
                ("rtmp://host/live", request.tc_url()),
            ] {
                let added = after.and_then(|after| after.strip_prefix(plain));
                assert!(added.is_some_and(|added| added.len() <= len_max));
            }
        }
    }
    Ok(())
}

/// What servers say and what they might.
fn refusal(u: &mut Unstructured<'_>) -> Result<String> {
    let mut refusal = String::new();
    for _ in 0..u.int_in_range(0..=12)? {
        match u.arbitrary()? {
            true => refusal.push_str(u.choose(REFUSALS)?),
            false => refusal.push_str(&text(u)?),
        }
    }
    Ok(refusal)
}

fn authenticate(u: &mut Unstructured<'_>) -> Result<()> {
    let scheme = *u.choose(&[Scheme::Adobe, Scheme::Limelight])?;
    let (user, app) = (text(u)?, text(u)?);
    let password = text(u)?;
    let known = match u.arbitrary()? {
        true => password.clone(),
        false => text(u)?,
    };
    let server = Server::new(scheme, [5; 32]);
    let mut client = Client::new(Credentials::new(user.clone(), password.clone()));
    let mut now = Instant::ORIGIN;
    let mut age = Duration::ZERO;
    for attempt in 0..4 {
        let Some(request) = connect(params(&client, &app)) else {
            return Ok(());
        };
        let password_of = |name: &str| (name == user).then(|| known.clone());
        let status = match server.decide(now, &request, password_of) {
            Decision::Accept { user: name } => {
                assert_eq!(name, user);
                assert_eq!(password, known, "let in");
                return Ok(());
            }
            Decision::Reject(status) => status,
        };
        if let Err(error) = client.refused(&status, u.arbitrary()?) {
            // Names are not repeated at any length, and challenges are valid for a minute at least.
            let is_refused = password != known || 3 * user.len() > 256 || age.as_secs() > 60;
            assert!(is_refused, "{error} after attempt {attempt}");
            return Ok(());
        }
        age = Duration::from_secs(u.int_in_range(0..=200)?);
        now += age;
    }
    panic!("no end");
}

fn params(client: &Client, app: &str) -> ConnectParams {
    let url: RtmpUrl = "rtmp://host/live/key".parse().expect("a URL");
    client.params(ConnectParams::publisher(&url).with_property("app", app))
}

/// The request that a server gets, `None` if the parameters are too long for one.
fn connect(params: ConnectParams) -> Option<ConnectRequest> {
    let now = Instant::ORIGIN;
    let mut client = ClientSession::new(now, Arc::new(ClientConfig::default()), [1; 32]);
    let mut server = ServerSession::new(now, Arc::new(ServerConfig::default()), [2; 32]);
    client.connect(now, params).ok()?;
    for _ in 0..4 {
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        take_output(&mut client, &mut to_server);
        let mut input = &*to_server;
        while !input.is_empty() {
            server.handle_input(now, &mut input);
            while let Some(event) = server.poll_event() {
                match event {
                    ServerEvent::Connect(request) => return Some(request),
                    ServerEvent::Closed(_) => return None,
                    _ => {}
                }
            }
        }
        take_output(&mut server, &mut to_client);
        client.handle_input(now, &mut &*to_client);
    }
    panic!("{client:?} {server:?}");
}

const REFUSALS: &[&str] = &[
    "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ",
    "[ AccessManager.Reject ] : [ code=403 need auth; authmod=llnw ] : ",
    "[ AccessManager.Reject ] : [ authmod=adobe ] : ",
    "[ AccessManager.Reject ] : [ authmod=llnw ] : ",
    "?reason=needauth",
    "?reason=nosuchuser",
    "?reason=authfailed",
    "&user=user",
    "&salt=53616c74",
    "&challenge=00112233",
    "&opaque=AAECAw==",
    "&nonce=44556677",
    "&nonce=",
    "?",
];
