#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| medmon_fuzz::envelope(bytes));
