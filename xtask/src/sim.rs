//! The simulator.

use crate::{Result, release};

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if release::run("sim", arguments)? {
        Ok(())
    } else {
        Err("the simulator found something, or did not find what it should".into())
    }
}
