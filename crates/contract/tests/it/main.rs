//! Tests of the suite: providers that keep the contract pass, and each way to break it is caught.

mod conformity;
mod mutant;
mod mutants;
mod send;
mod support;
