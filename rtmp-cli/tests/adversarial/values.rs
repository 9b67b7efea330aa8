//! Commands and data messages whose values lie.

use std::{collections::HashSet, slice};

use crate::{
    amf::{self, OBJECT_END},
    attacker::{Attacker, create_stream},
    commands::COMMANDS,
    common::Server,
    scene::Scene,
    wire::{COMMAND, COMMAND_AMF3, DATA, message},
};

/// Row 10, nginx-rtmp 23e1873: nested and surplus values, of every type, where none are expected.
#[test]
fn nested_values_everywhere() {
    let scene = Scene::new();
    scene.survive(8, |server| {
        let list = [&[0x0A, 0, 0, 0, 2][..], &amf::null(), &amf::number(1.0)].concat();
        let inner = amf::object(&[("b", list), ("c", vec![6]), ("d", vec![0x0D])]);
        let date = [&[0x0B], &amf::number(1.0)[1..], &[0, 0]].concat();
        let typed = [
            &[0x10][..],
            &amf::name("Class"),
            &amf::name("date"),
            &date,
            &OBJECT_END,
        ];
        let in_amf3 = vec![
            0x11, 0x09, 0x03, 0x01, 0x0A, 0x0B, 0x01, 0x03, b'a', 0x01, 0x01,
        ];
        let nested = [amf::object(&[("a", inner)]), typed.concat(), in_amf3];
        let mut seat = Seat::new(server);
        for name in COMMANDS {
            let values: Vec<_> = nested.iter().cycle().take(9).cloned().collect();
            let payload = amf::command(name, 7.0, &values);
            for stream in [0, 1] {
                seat.take(COMMAND, stream, &payload);
                seat.take(COMMAND_AMF3, stream, &[&[0], &payload[..]].concat());
                seat.take(DATA, stream, &payload);
            }
        }
        seat.leave()
    });
    scene.finish();
}

/// Row 13, Wireshark CVE-2021-4185 and GitLab 17813: lengths that turn negative, or lie beyond the message.
#[test]
fn lengths_that_lie() {
    let scene = Scene::new();
    scene.survive(8, |server| {
        let mut seat = Seat::new(server);
        let mut lying = vec![
            vec![0x02, 0xFF, 0xFF],
            vec![0x10, 0xFF, 0xFF],
            vec![0x03, 0xFF, 0xFF],
            // The greatest lengths of AMF3: string, document, byte array.
            vec![0x11, 0x06, 0xFF, 0xFF, 0xFF, 0xFF],
            vec![0x11, 0x07, 0xFF, 0xFF, 0xFF, 0xFF],
            vec![0x11, 0x0B, 0xFF, 0xFF, 0xFF, 0xFF],
            vec![0x11, 0x0C, 0xFF, 0xFF, 0xFF, 0xFF],
        ];
        for length in [
            0x7FFF_FFFF_u32,
            0x8000_0000,
            0xFFFF_FFFB,
            0xFFFF_FFFC,
            0xFFFF_FFFD,
            0xFFFF_FFFE,
            0xFFFF_FFFF,
        ] {
            for marker in [0x0C, 0x0F] {
                lying.push([&[marker], &length.to_be_bytes()[..]].concat());
            }
        }
        for lie in lying {
            for value in [lie.clone(), amf::object(&[("app", lie)])] {
                let connect = amf::command("connect", 1.0, slice::from_ref(&value));
                let mut early = Attacker::greeted(server);
                early.send(message(3, COMMAND, 0, &connect));
                early.end(server, "malformed values");
                let publish = amf::command("publish", 3.0, &[amf::null(), value.clone()]);
                seat.take(COMMAND, 1, &publish);
                let data = [amf::string("onMetaData"), value].concat();
                seat.is_ignored(DATA, &data);
            }
        }
        seat.leave()
    });
    scene.finish();
}

/// Row 15, librtmp CVE-2015-8270, 8271 and 8272: AMF3 references to what is not there, classes used again,
/// commands without a name, and without arguments.
#[test]
fn references_and_commands_to_nothing() {
    let scene = Scene::new();
    scene.survive(8, |server| {
        let mut seat = Seat::new(server);
        let broken: [&[u8]; 10] = [
            // Strings, objects, classes, arrays, dates and dictionaries by reference.
            &[0x06, 0x02],
            &[0x06, 0xFF, 0xFF, 0xFF, 0xFE],
            &[0x0A, 0x00],
            &[0x0A, 0x05],
            &[0x0A, 0xFF, 0xFF, 0xFF, 0xFD],
            &[0x09, 0x02],
            &[0x08, 0x04],
            &[0x11, 0x06],
            // An array that contains itself.
            &[0x09, 0x03, 0x01, 0x09, 0x00],
            // A class of 2^25 properties, and one that is used again with other properties.
            &[0x0A, 0xFF, 0xFF, 0xFF, 0xF3, 0x03, b'c'],
        ];
        for value in broken {
            let value = [&[0x11], value].concat();
            let connect = amf::command("connect", 1.0, slice::from_ref(&value));
            let mut early = Attacker::greeted(server);
            early.send(message(3, COMMAND_AMF3, 0, &[&[0], &connect[..]].concat()));
            early.end(server, "malformed values");
            seat.is_ignored(DATA, &[amf::string("onMetaData"), value].concat());
        }
        // No name, none that is a string, and nothing at all.
        for payload in [
            vec![],
            vec![5],
            vec![5, 5, 5],
            amf::number(1.0),
            vec![0x11, 0x01],
        ] {
            seat.take(COMMAND, 1, &payload);
            seat.take(COMMAND_AMF3, 1, &payload);
        }
        for name in COMMANDS {
            for id in [0.0, -1.0, f64::NAN, f64::INFINITY] {
                for stream in [0, 1] {
                    seat.take(COMMAND, stream, &amf::command(name, id, &[]));
                    let nulls = [amf::null(), amf::null(), amf::null()];
                    seat.take(COMMAND, stream, &amf::command(name, id, &nulls));
                }
            }
        }
        seat.leave()
    });
    scene.finish();
}

/// Rows 16 and 17, FFmpeg CVE-2017-11665 and the Go port of SRS: every command cut at every byte, so that
/// arguments lack, and with more arguments than there are.
#[test]
fn commands_cut_at_every_byte() {
    let scene = Scene::new();
    scene.survive(8, |server| {
        let mut seat = Seat::new(server);
        let object = amf::object(&[("app", amf::string("live")), ("n", amf::number(1.0))]);
        let truth = vec![1, 1];
        for name in COMMANDS {
            let values = [
                object.clone(),
                amf::string("attack"),
                amf::number(1.0),
                truth.clone(),
            ];
            let full = amf::command(name, 7.0, &values);
            for cut in 0..full.len() {
                seat.take(COMMAND, 1, &full[..cut]);
            }
            let surplus = [values.concat(), values.concat(), values.concat()];
            seat.take(COMMAND, 1, &amf::command(name, 7.0, &surplus));
            seat.take(COMMAND, 0, &amf::command(name, 7.0, &surplus));
        }
        seat.leave()
    });
    scene.finish();
}

/// A connection that is made again when the server has closed it.
struct Seat<'a> {
    server: &'a Server,
    attacker: Attacker,
    /// The ports of those that were closed for what they said.
    ended: Vec<u16>,
}

impl<'a> Seat<'a> {
    fn new(server: &'a Server) -> Self {
        Self {
            server,
            attacker: Self::sit_down(server, 0),
            ended: Vec::new(),
        }
    }

    /// Sends a message. The server goes on, or closes the connection: because it was told to, or because
    /// it cannot make sense of it.
    fn take(&mut self, kind: u8, stream: u8, payload: &[u8]) {
        self.attacker.send(message(3, kind, stream, payload));
        if !self.attacker.is_served() {
            let closing = amf::string("close");
            if !payload.windows(closing.len()).any(|at| at == closing) {
                self.ended.push(self.attacker.port());
            }
            self.attacker = Self::sit_down(self.server, self.ended.len());
        }
    }

    /// Sends a message, which changes nothing.
    #[track_caller]
    fn is_ignored(&mut self, kind: u8, payload: &[u8]) {
        self.attacker.send(message(4, kind, 1, payload));
        assert!(self.attacker.is_served(), "{payload:x?}");
    }

    /// Looks into the log for the reason of each end. Returns the last connection.
    #[track_caller]
    fn leave(self) -> Attacker {
        let reason = "connection ended: protocol violated by the peer: message broken";
        let log = self.server.process.text();
        let broken = log.lines().filter(|line| line.contains(reason));
        let told: HashSet<u16> = broken.filter_map(port).collect();
        for missing in self.ended.iter().filter(|port| !told.contains(port)) {
            // It is still to come.
            let is_told = |line: &str| line.contains(reason) && port(line) == Some(*missing);
            self.server.process.wait_for("reason", 1, is_told);
        }
        self.attacker
    }

    fn sit_down(server: &Server, count: usize) -> Attacker {
        let mut attacker = Attacker::publishing(server, &format!("attack{count}"));
        attacker.send(create_stream());
        attacker
    }
}

/// Of the peer that a line of the log is about.
fn port(line: &str) -> Option<u16> {
    let (_, behind) = line.split_once("peer=127.0.0.1:")?;
    behind.split_ascii_whitespace().next()?.parse().ok()
}
