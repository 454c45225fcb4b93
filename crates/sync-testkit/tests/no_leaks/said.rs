//! What is said in this process, and the word that must not be in it.

use std::error::Error;
use std::fmt::Debug;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// In every token, key and value of these tests, and in nothing else.
const SECRET: &str = "s3cr3t";

pub(crate) fn secret(what: &str) -> String {
    format!("{what}-{SECRET}")
}

#[derive(Clone, Default)]
pub(crate) struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    /// All that is said in this process, from the first call on.
    pub(crate) fn everything() -> &'static Self {
        static SAID: OnceLock<Said> = OnceLock::new();
        SAID.get_or_init(|| {
            let said = Self::default();
            let writer = said.clone();
            tracing_subscriber::fmt()
                .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
                .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
                .with_writer(move || writer.clone())
                .init();
            let panics = said.clone();
            std::panic::set_hook(Box::new(move |panic| panics.debug(&panic.to_string())));
            said
        })
    }

    pub(crate) fn debug(&self, value: &dyn Debug) {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(bytes, "{value:?} {value:#?}").unwrap();
    }

    pub(crate) fn error(&self, error: &dyn Error) {
        let mut cause = Some(error);
        while let Some(error) = cause {
            self.debug(&(error.to_string(), error));
            cause = error.source();
        }
    }

    pub(crate) fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[track_caller]
    pub(crate) fn holds_no_secret(&self) {
        let text = self.text();
        let leaks: Vec<&str> = text.lines().filter(|line| line.contains(SECRET)).collect();
        assert!(
            leaks.is_empty(),
            "{} lines, the first:\n{:.2000}",
            leaks.len(),
            leaks[0]
        );
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
