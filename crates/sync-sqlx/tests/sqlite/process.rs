//! Parts of tests that need a process of their own: the test program again, running one function
//! in other circumstances.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// Which part is to run, and on which file.
const PART: &str = "SYNC_SQLX_PART";
const FILE: &str = "SYNC_SQLX_FILE";

/// The file that this process is to work on, if it was started for this part.
pub(crate) fn file_of(part: &str) -> Option<std::path::PathBuf> {
    let is_meant = std::env::var(PART).is_ok_and(|asked| asked == part);
    is_meant.then(|| std::env::var_os(FILE).unwrap().into())
}

/// The command that runs the test `name`, which looks for itself with [`file_of`]. Through a shell,
/// which can set limits first; its `"$@"` is the command.
pub(crate) fn command(name: &str, file: &Path, shell: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", shell, "sh"]);
    command.arg(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(PART, name).env(FILE, file);
    command
}

/// Runs a part to its end and expects that it succeeds.
#[track_caller]
pub(crate) fn run(mut command: Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let (out, error) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(status.success(), "{status}\n{out}\n{error}");
    out.into_owned()
}

/// Another program under way.
pub(crate) struct Other {
    child: Child,
}

impl Other {
    /// Starts a part and waits until it says the word `ready`.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let is_ready = |line: std::io::Result<String>| line.unwrap().contains("ready");
        assert!(lines.into_iter().any(is_ready), "the other program ended");
        Self { child }
    }

    /// Lets it go on, and waits until it has ended.
    pub(crate) fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

/// Says that this process is ready, and waits until the one that started it lets it go on.
pub(crate) fn ready() {
    println!("ready");
    let mut nothing = Vec::new();
    std::io::stdin().read_to_end(&mut nothing).unwrap();
}
