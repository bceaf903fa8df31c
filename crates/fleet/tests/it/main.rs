//! The engine as a whole, in memory: what a plan says, row by row, and what any sequence of manifests, crashes, faults
//! and outside changes ends in.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod apply;
mod cloud;
mod confirm;
mod drift;
mod engine;
mod fleet;
mod foreign;
mod generate;
mod ignored;
mod left;
mod model;
mod names;
mod nowhere;
mod plan;
mod send;
mod settled;
mod wishes;
mod world;
