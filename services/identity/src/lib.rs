//! Communities, users, roles, credentials and logins
