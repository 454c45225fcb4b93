//! A server and two devices.

use std::sync::{Arc, Mutex};

use sync_core::json::JsonMap;
use sync_core::{ConflictStrategy, SoftDelete};

use crate::device::{Device, shared};
use crate::faults::{Fault, Faults};
use crate::link::Link;
use crate::server::{Habits, Server};

/// The one record that everybody edits.
pub(crate) const ID: &str = "x";

pub(crate) struct World {
    pub(crate) server: Arc<Mutex<Server>>,
    pub(crate) faults: Arc<Mutex<Faults>>,
    pub(crate) devices: [Device; 2],
}

impl World {
    pub(crate) fn new(
        habits: Habits,
        strategy: ConflictStrategy,
        soft_delete: SoftDelete,
        faults: Faults,
    ) -> Self {
        let (server, faults) = (shared(Server::new(habits)), shared(faults));
        let device = |name, seed| {
            let link = Link {
                server: server.clone(),
                faults: faults.clone(),
                log: Arc::default(),
            };
            Device::new(name, seed, link, (strategy, soft_delete))
        };
        let devices = [device("A", 1), device("B", 2)];
        Self {
            server,
            faults,
            devices,
        }
    }

    /// One whole run in which the requests meet these faults, one after another.
    pub(crate) fn sync(&mut self, device: usize, faults: &[Fault]) {
        self.faults.lock().unwrap().plan(faults);
        self.devices[device].sync();
        self.faults.lock().unwrap().plan(&[]);
    }

    /// The network is healed and everybody syncs until nothing moves. `Err` = it never settles.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        self.faults.lock().unwrap().stop();
        for _ in 0..12 {
            let before = self.server.lock().unwrap().history.len();
            for device in &mut self.devices {
                device.sync();
            }
            let idle = self.devices.iter().all(|device| device.ops().is_empty());
            if idle && before == self.server.lock().unwrap().history.len() {
                return Ok(());
            }
        }
        let left: Vec<_> = self.devices.iter().flat_map(Device::ops).collect();
        Err(format!("it never settles: {left:?}"))
    }

    pub(crate) fn on_server(&self) -> Option<JsonMap> {
        self.server.lock().unwrap().content(ID).cloned()
    }
}
