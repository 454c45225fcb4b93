//! The transport over real HTTP on loopback, against a server whose every byte is scripted.

mod auth;
mod failures;
mod live;
mod reading;
mod requests;
mod routes;
mod server;
mod setup;
mod table;
