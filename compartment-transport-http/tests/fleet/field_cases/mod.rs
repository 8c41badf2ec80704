//! What went wrong in fleets before, end to end. The numbers are those of the field cases.

mod batches;
mod clocks;
mod deaths;
mod pulls;
mod rollbacks;
mod switches;
mod tests;
