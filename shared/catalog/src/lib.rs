//! The services of the platform, each declared once.
//!
//! A service's flags, default address, database, place on the bus, health check, metrics and place
//! in the tests' cluster follow from its entry here. To add one: its entry, its crate, a line in
//! `services/all-in-one/src/services.rs`, and the gateway's routes.

/// What is known of a service before it runs.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// Lowercase letters and dashes: its proto package, its database, its subject on the bus, its
    /// label in metrics, and how other processes' flags call it (`--identity-url`).
    pub name: &'static str,
    /// What it does, for `--help`.
    pub about: &'static str,
    /// The port on which it listens by default.
    pub port: u16,
    /// The services that it calls.
    pub peers: &'static [&'static Service],
    /// The services whose signals invalidate its caches.
    pub signals_from: &'static [&'static str],
    /// The services whose events it handles.
    pub events_from: &'static [&'static str],
    /// Whether the platform counts as ready only while it serves.
    pub essential: bool,
}

/// Communities, users, credentials and logins.
pub const IDENTITY: &Service = &Service {
    name: "identity",
    about: "Guildhall's identity service: communities, users, credentials and logins, behind gRPC",
    port: 50052,
    peers: &[],
    signals_from: &["identity"],
    events_from: &[],
    essential: true,
};

/// Channels, messages, replies and reactions.
pub const MESSAGING: &Service = &Service {
    name: "messaging",
    about: "Guildhall's messaging service: channels, messages, replies and reactions, behind gRPC",
    port: 50051,
    peers: &[IDENTITY],
    signals_from: &["identity", "messaging"],
    events_from: &[],
    essential: true,
};

/// Deliveries of events to receivers, incoming webhooks, workflows.
pub const WEBHOOKS: &Service = &Service {
    name: "webhooks",
    about: "Guildhall's webhooks service: deliveries out, calls and workflow events in, behind gRPC",
    port: 50053,
    peers: &[IDENTITY, MESSAGING],
    signals_from: &["identity"],
    events_from: &["identity", "messaging", "webhooks"],
    essential: false,
};

/// The services with a database, each after those that it calls.
pub const SERVICES: &[&Service] = &[IDENTITY, MESSAGING, WEBHOOKS];

/// The public REST contract in front of the services. It serves HTTP, and has no database.
pub const GATEWAY: &Service = &Service {
    name: "gateway",
    about: "Guildhall's gateway: the public REST contract in front of the services",
    port: 8080,
    peers: SERVICES,
    signals_from: &["identity"],
    events_from: &[],
    essential: true,
};

/// Everything that runs as a process of its own in a cluster, each after those that it calls.
pub fn processes() -> impl Iterator<Item = &'static Service> {
    SERVICES.iter().copied().chain([GATEWAY])
}

impl Service {
    /// The binary that runs it as a process of its own.
    #[must_use]
    pub fn binary(&self) -> String {
        format!("guildhall-{}", self.name)
    }

    /// The flag with which other processes are told where it is, without its dashes.
    #[must_use]
    pub fn url_flag(&self) -> String {
        format!("{}-url", self.name)
    }

    /// The variable of [`url_flag`](Self::url_flag).
    #[must_use]
    pub fn url_variable(&self) -> String {
        let name = self.name.to_ascii_uppercase().replace('-', "_");
        format!("GUILDHALL_{name}_URL")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_service_comes_after_those_that_it_calls() {
        for (index, service) in SERVICES.iter().enumerate() {
            let before = &SERVICES[..index];
            for peer in service.peers {
                assert!(
                    before.contains(peer),
                    "{} calls {}",
                    service.name,
                    peer.name
                );
            }
        }
        assert_eq!(GATEWAY.peers, SERVICES);
    }

    #[test]
    fn names_and_ports_are_unique_and_what_is_listened_to_exists() {
        let all: Vec<_> = SERVICES.iter().chain([&GATEWAY]).collect();
        let names: HashSet<_> = all.iter().map(|service| service.name).collect();
        let ports: HashSet<_> = all.iter().map(|service| service.port).collect();
        assert_eq!((names.len(), ports.len()), (all.len(), all.len()));
        for service in all {
            let mut heard = service.signals_from.iter().chain(service.events_from);
            assert!(heard.all(|name| names.contains(name)), "{}", service.name);
        }
    }

    #[test]
    fn whoever_lets_callers_in_asks_identity_and_hears_what_is_revoked() {
        for service in processes() {
            let asks = service == IDENTITY || service.peers.contains(&IDENTITY);
            let hears = service.signals_from.contains(&IDENTITY.name);
            assert!(asks && hears, "{}: peers, signals_from", service.name);
        }
    }

    #[test]
    fn flags_and_variables_have_one_name() {
        assert_eq!(MESSAGING.url_flag(), "messaging-url");
        assert_eq!(MESSAGING.url_variable(), "GUILDHALL_MESSAGING_URL");
        assert_eq!(MESSAGING.binary(), "guildhall-messaging");
    }
}
