//! The real platform on free ports, for tests from outside
