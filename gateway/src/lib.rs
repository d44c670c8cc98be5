//! The public REST contract, translated into calls of the services
