//! What is killed, cut off or set to another time; `make faults` runs it, one at a time.

mod clock;
mod cuts;
mod kills;
