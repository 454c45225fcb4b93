//! The crash test.

use crate::{Result, release};

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if release::run("crash", arguments)? {
        Ok(())
    } else {
        Err("the crash test found something, or did not find what it should".into())
    }
}
