//! One process of a cluster.

use std::{
    net::SocketAddr,
    ops::{Deref, DerefMut},
};

use crate::{Nats, Postgres, Proxy, Service};

/// One process of a cluster; it keeps its address over restarts.
#[derive(Debug)]
pub struct Replica {
    pub(super) service: Service,
    url: String,
    door: String,
    wires: Option<Wires>,
}

/// The proxies between a replica and the others.
#[derive(Debug)]
pub struct Wires {
    /// Before the replica.
    pub door: Proxy,
    /// Between it and PostgreSQL.
    pub database: Proxy,
    /// Between it and NATS.
    pub broker: Proxy,
}

impl Wires {
    pub(super) async fn lay(address: SocketAddr, database: &Postgres, broker: &Nats) -> Self {
        Self {
            door: Proxy::start(address).await,
            database: Proxy::start(database.address()).await,
            broker: Proxy::start(broker.address()).await,
        }
    }
}

impl Replica {
    pub(super) fn new(
        service: Service,
        scheme: &str,
        address: SocketAddr,
        wires: Option<Wires>,
    ) -> Self {
        let door = wires.as_ref().map(|wires| wires.door.address());
        Self {
            service,
            url: format!("{scheme}://{address}"),
            door: format!("{scheme}://{}", door.unwrap_or(address)),
            wires,
        }
    }

    /// Where it listens, past its proxy.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where others reach it.
    #[must_use]
    pub fn door(&self) -> &str {
        &self.door
    }

    /// Its proxies.
    ///
    /// # Panics
    /// When the plan asked for none.
    #[must_use]
    pub fn wires(&self) -> &Wires {
        self.wires.as_ref().expect("a plan with `wires`")
    }
}

/// It is started and killed as every service.
impl Deref for Replica {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}

impl DerefMut for Replica {
    fn deref_mut(&mut self) -> &mut Service {
        &mut self.service
    }
}
