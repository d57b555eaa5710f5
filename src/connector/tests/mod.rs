//! The driver on a paused clock, with a scripted resolver and dialer.

mod cancel;
mod faults;
mod support;
mod timing;
