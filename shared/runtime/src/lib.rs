//! How a process of Guildhall starts, serves, fails and stops
