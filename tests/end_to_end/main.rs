//! Behaviour across crates: what is lost on the way, a move between vendors, tokens, secrets.

mod listing;
mod lost_answers;
mod properties;
mod provider_switch;
mod secrets;
mod tokens;
