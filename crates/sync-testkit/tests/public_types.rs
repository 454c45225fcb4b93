//! Handles go wherever a test wants to take them.

use sync_testkit::{
    Backup, FakeEnv, Fault, FaultyTransport, Gate, MockServer, MockServerBuilder, RecordedRequest,
    ScriptedFault, TransportFault, TransportScript,
};

const fn goes_everywhere<T: Send + Sync + 'static>() {}

#[test]
fn public_types_are_send_and_sync() {
    goes_everywhere::<MockServer>();
    goes_everywhere::<MockServerBuilder>();
    goes_everywhere::<ScriptedFault>();
    goes_everywhere::<RecordedRequest>();
    goes_everywhere::<Backup>();
    goes_everywhere::<Fault>();
    goes_everywhere::<Gate>();
    goes_everywhere::<FakeEnv>();
    goes_everywhere::<FaultyTransport>();
    goes_everywhere::<TransportScript>();
    goes_everywhere::<TransportFault>();
}
