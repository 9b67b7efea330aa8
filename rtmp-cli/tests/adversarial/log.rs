//! Surroundings that wish the server ill.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::{bystanders::Bystanders, common::rtmp};

/// Whoever read the log is gone: the server has nobody to tell, and goes on.
#[test]
fn nobody_reads_the_log() {
    let mut command = rtmp();
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    let mut server = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut log = BufReader::new(server.stderr.take().unwrap());
    log.read_line(&mut line).unwrap();
    drop(log);
    let (_, address) = line.trim_end().split_once("listening on ").unwrap();
    for _ in 0..2 {
        let url = format!("{address}/live/stream");
        let bystanders = Bystanders::start(&url, &url);
        bystanders.go_on(30);
        bystanders.finish();
    }
    assert!(server.try_wait().unwrap().is_none());
    server.kill().unwrap();
    server.wait().unwrap();
}
