//! The contract, journeys and faults, tested from outside
