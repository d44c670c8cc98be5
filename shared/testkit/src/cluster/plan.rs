//! What a cluster consists of.

use std::net::{Ipv4Addr, SocketAddr};

use crate::{Options, port};

/// What a cluster consists of, and how it is started.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Replicas of identity.
    pub identity: usize,
    /// Replicas of messaging.
    pub messaging: usize,
    /// Replicas of webhooks.
    pub webhooks: usize,
    /// Replicas of the gateway.
    pub gateway: usize,
    /// Whether to make the demo community.
    pub demo: bool,
    /// Requests per second, credential and process; 0 is off.
    pub rate_limit: u32,
    /// Further flags of every process.
    pub args: Vec<String>,
    /// Further variables of every process.
    pub variables: Vec<(&'static str, String)>,
    /// Further flags of the gateways.
    pub gateway_args: Vec<String>,
    /// Whether webhooks reach receivers on this machine.
    pub private_receivers: bool,
    /// Further settings of PostgreSQL, e.g. `max_connections=20`.
    pub settings: Vec<String>,
    /// Whether NATS is there from the start.
    pub broker: bool,
    /// Whether each replica is reached, and reaches others, through proxies of its own.
    pub wires: bool,
    /// Whether the services speak TLS, and ask callers for a certificate.
    pub tls: bool,
    /// Whether the first of each kind listens where it does by default, and not on a free port.
    pub default_ports: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            identity: 1,
            messaging: 1,
            webhooks: 1,
            gateway: 1,
            demo: true,
            rate_limit: 0,
            args: Vec::new(),
            variables: Vec::new(),
            gateway_args: Vec::new(),
            private_receivers: false,
            settings: Vec::new(),
            broker: true,
            wires: false,
            tls: false,
            default_ports: false,
        }
    }
}

impl From<Options> for Plan {
    /// The same platform in the other shape; what its flags say, they say of its edge.
    fn from(options: Options) -> Self {
        Self {
            demo: options.demo,
            rate_limit: options.rate_limit,
            private_receivers: options.private_receivers,
            gateway_args: options.args,
            variables: options.variables,
            ..Self::default()
        }
    }
}

/// A binary of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Identity,
    Messaging,
    Webhooks,
    Gateway,
}

impl Part {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Messaging => "messaging",
            Self::Webhooks => "webhooks",
            Self::Gateway => "gateway",
        }
    }

    pub(super) fn binary(self) -> &'static str {
        match self {
            Self::Identity => "guildhall-identity",
            Self::Messaging => "guildhall-messaging",
            Self::Webhooks => "guildhall-webhooks",
            Self::Gateway => "guildhall-gateway",
        }
    }

    /// The flag that says where it listens.
    pub(super) fn listens(self) -> &'static str {
        match self {
            Self::Identity | Self::Messaging | Self::Webhooks => "--grpc",
            Self::Gateway => "--http",
        }
    }

    /// Where it listens; the port stays the same over restarts.
    pub(super) fn address(self, index: usize, plan: &Plan) -> SocketAddr {
        if index > 0 || !plan.default_ports {
            return port::free();
        }
        let port = match self {
            Self::Identity => 50052,
            Self::Messaging => 50051,
            Self::Webhooks => 50053,
            Self::Gateway => 8080,
        };
        (Ipv4Addr::LOCALHOST, port).into()
    }
}
