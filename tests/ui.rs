//! What `#[kcl::processor]` accepts compiles, and what it refuses is one error that says what to do.

#[test]
fn fail() {
    trybuild::TestCases::new().compile_fail("ui/fail/*/*.rs");
}
