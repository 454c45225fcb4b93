//! The live channel: any bytes, cut into pieces anywhere. What wakes up does not depend on the cuts.
#![no_main]

use fuzz::Input;
use libfuzzer_sys::fuzz_target;
use sync_rest::fuzz::live;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let step = usize::from(input.byte()) + 1;
    let pieces = input.0.chunks(step).map(<[u8]>::to_vec).collect();
    let (wakeups, last) = live(pieces);
    assert!(last.as_ref().is_none_or(|id| id.len() <= 1024));
    // A limit that is passed in the middle of a piece takes the events before it along.
    if data.len() <= 60_000 {
        assert_eq!((wakeups, last), live(vec![input.0.to_vec()]));
    }
});
