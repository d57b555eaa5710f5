//! `serve`: what a scraper gets, and what it does not get.

mod addresses;
mod exporter;
mod limits;
mod lives;
mod probes;
mod prometheus;
mod text;
