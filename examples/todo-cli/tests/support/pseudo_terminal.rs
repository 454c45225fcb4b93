//! A program in a terminal: what it shows is waited for, what it asks is answered.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Only a program that hangs takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    typed: Box<dyn Write + Send>,
    shown: Receiver<Vec<u8>>,
    raw: Vec<u8>,
    /// So much of the text was expected already.
    seen: usize,
    /// The terminal is there as long as this is.
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    pub(crate) fn run(program: &str, arguments: &[&str], folder: &Path, server: &str) -> Self {
        let size = PtySize {
            rows: 40,
            cols: 80,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.cwd(folder);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.env("TODO_SERVER", server);
        let child = pair.slave.spawn_command(command).unwrap();
        // Else the end of the program would not be the end of its output.
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (send, shown) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A terminal whose program has ended gives an error on Linux, and nothing elsewhere.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if send.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let typed = pair.master.take_writer().unwrap();
        Self {
            child,
            typed,
            shown,
            raw: Vec::new(),
            seen: 0,
            _master: pair.master,
        }
    }

    /// Waits until this is shown, behind what was expected before.
    pub(crate) fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.text();
            if let Some(place) = shown[self.seen..].find(text) {
                self.seen += place + text.len();
                return;
            }
            let more = self
                .shown
                .recv_timeout(deadline.saturating_duration_since(Instant::now()));
            match more {
                Ok(more) => self.raw.extend(more),
                Err(why) => panic!("{text:?} is not shown ({why}) in\n{shown}"),
            }
        }
    }

    pub(crate) fn answer(&mut self, line: &str) {
        self.typed
            .write_all(format!("{line}\r").as_bytes())
            .unwrap();
        self.typed.flush().unwrap();
    }

    /// Waits for the end: the exit code, and everything that was shown, with what steers the terminal.
    pub(crate) fn end(mut self) -> (u32, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self
                .shown
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(more) => self.raw.extend(more),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.text()),
            }
        }
        let code = self.child.wait().unwrap().exit_code();
        (
            code,
            String::from_utf8_lossy(&self.raw).replace("\r\n", "\n"),
        )
    }

    /// What is shown, as text.
    pub(crate) fn text(&self) -> String {
        let shown = String::from_utf8_lossy(&self.raw);
        console::strip_ansi_codes(&shown).replace("\r\n", "\n")
    }
}
