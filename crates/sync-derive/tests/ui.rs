//! What the derive accepts, and what it says to what it does not accept.

#[test]
fn the_compiler_accepts_good_entities_and_explains_bad_ones() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
