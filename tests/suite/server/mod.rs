//! The program itself, over HTTP, against a moto server that behaves like AWS.

mod commands;
mod crashes;
mod disk;
mod failing_starts;
mod incident;
mod pauses;
mod people;
mod permissions;
mod process;
mod refusals;
mod replace;
mod sight;
