//! The driver on a paused clock, with a scripted resolver and dialer.

mod bound;
mod cancel;
mod faults;
mod history;
mod support;
mod timing;
