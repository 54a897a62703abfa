//! The program itself, over HTTP, against a moto server that behaves like AWS.

mod crashes;
mod failing_starts;
mod incident;
mod pauses;
mod people;
mod process;
mod refusals;
mod sight;
