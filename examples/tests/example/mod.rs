//! A running example.

use std::{
    env,
    ffi::OsStr,
    fs::File,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The process of an example. It ends with this.
pub(crate) struct Example {
    name: String,
    child: Child,
    output: UnboundedReceiver<String>,
}

impl Example {
    pub(crate) fn start<A: AsRef<OsStr>>(name: &str, args: &[A], input: Option<File>) -> Self {
        // target/debug/deps/run-0123456789abcdef, and target/debug/examples/NAME.
        let test = env::current_exe().unwrap();
        let build = test.ancestors().nth(2).unwrap();
        let program = build
            .join("examples")
            .join(name)
            .with_extension(env::consts::EXE_EXTENSION);
        let mut child = Command::new(&program)
            .args(args)
            .stdin(input.map_or_else(Stdio::null, Stdio::from))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let (sender, output) = unbounded_channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // Nobody need listen any more, but it must be able to print.
                let _ = sender.send(line);
            }
        });
        let name = name.into();
        Self {
            name,
            child,
            output,
        }
    }

    /// Waits until it has said a line that begins with each of `prefixes`, in any order.
    pub(crate) async fn lines(&mut self, prefixes: &[&str]) -> Vec<String> {
        let mut found = vec![String::new(); prefixes.len()];
        while found.iter().any(String::is_empty) {
            let Some(line) = self.output.recv().await else {
                panic!("{} ended before it said {prefixes:?}", self.name);
            };
            println!("{}: {line}", self.name);
            let mut places = found.iter_mut().zip(prefixes);
            if let Some((place, _)) =
                places.find(|(place, prefix)| place.is_empty() && line.starts_with(**prefix))
            {
                *place = line;
            }
        }
        found
    }

    /// Waits for its end; whether it succeeded.
    pub(crate) async fn wait(&mut self) -> bool {
        while let Some(line) = self.output.recv().await {
            println!("{}: {line}", self.name);
        }
        self.child.wait().unwrap().success()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
