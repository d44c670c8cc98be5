//! Credentials, the caller behind them, and the access layer that lets him in
