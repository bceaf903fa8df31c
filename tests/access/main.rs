//! The way to a cloud: credentials, proxies and certificates, and the doctor who looks at it.

mod accounts;
mod doctor;
mod network;
