//! Measures clients as the published study of Happy Eyeballs did: from the packets alone.

mod carrying;
mod checksum;
mod network;
mod relay;
