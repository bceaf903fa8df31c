//! The checks, by what they are about. Each is listed in `behaviour.rs`, where its
//! name and the providers it applies to can be read at a glance.

pub(crate) mod account;
pub(crate) mod capabilities;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod domains;
pub(crate) mod ext;
pub(crate) mod fidelity;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod signing;
pub(crate) mod update;
