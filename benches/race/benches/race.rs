//! What the race costs by itself, in time and allocations.
//!
//! ```text
//! cargo bench --manifest-path benches/Cargo.toml
//! ```

use divan::{AllocProfiler, Bencher};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench]
fn healthy(bencher: Bencher<'_, '_>) {
    bencher.bench(race::healthy());
}

/// RFC 6724.
#[divan::bench(args = [2, 8, 64])]
fn sorting(bencher: Bencher<'_, '_>, addresses: u8) {
    bencher.bench(race::sorting(addresses));
}
