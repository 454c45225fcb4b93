//! What can go wrong, what to do about it, and exit codes.

use std::error::Error;
use std::process::ExitCode;

use sync_core::{StoreError, SyncError};

/// How the program ends; `--help` lists the codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Conflicts = 3,
    Incomplete = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What happened, and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) what: String,
    pub(crate) advice: Option<String>,
    pub(crate) exit: Exit,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            advice: Some(advice.into()),
            exit: Exit::Failed,
        }
    }

    pub(crate) fn usage(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            ..Self::new(what, advice)
        }
    }

    /// A failure of something underneath, with its causes.
    pub(crate) fn of(
        doing: impl std::fmt::Display,
        error: &dyn Error,
        advice: impl Into<String>,
    ) -> Self {
        let mut what = format!("{doing}: {error}");
        let mut told = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            // Many errors repeat their cause in their own words.
            let text = error.to_string();
            if !told.contains(&text) {
                what.push_str(&format!(": {text}"));
                told = text;
            }
            cause = error.source();
        }
        Self::new(what, advice)
    }
}

/// What the engine says names what to do already.
impl From<SyncError> for Failure {
    fn from(error: SyncError) -> Self {
        Self {
            what: error.to_string(),
            advice: None,
            exit: Exit::Failed,
        }
    }
}

/// What the store says names the file, and what to do.
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        SyncError::Store(error).into()
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::of(
            "a to-do does not fit JSON",
            &error,
            "this is a defect: please report it",
        )
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::of("the terminal", &error, "check where output goes")
    }
}
