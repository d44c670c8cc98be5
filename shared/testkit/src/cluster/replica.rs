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
    proxied_url: String,
    proxies: Option<Proxies>,
}

/// The proxies between a replica and the others.
#[derive(Debug)]
pub struct Proxies {
    /// Before the replica.
    pub inbound: Proxy,
    /// Between it and PostgreSQL.
    pub database: Proxy,
    /// Between it and NATS.
    pub broker: Proxy,
}

impl Proxies {
    pub(super) async fn start(address: SocketAddr, database: &Postgres, broker: &Nats) -> Self {
        Self {
            inbound: Proxy::start(address).await,
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
        proxies: Option<Proxies>,
    ) -> Self {
        let proxied_url = proxies.as_ref().map(|proxies| proxies.inbound.address());
        Self {
            service,
            url: format!("{scheme}://{address}"),
            proxied_url: format!("{scheme}://{}", proxied_url.unwrap_or(address)),
            proxies,
        }
    }

    /// Where it listens, past its proxy.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where others reach it.
    #[must_use]
    pub fn proxied_url(&self) -> &str {
        &self.proxied_url
    }

    /// Its proxies.
    ///
    /// # Panics
    /// When the plan asked for none.
    #[must_use]
    pub fn proxies(&self) -> &Proxies {
        self.proxies.as_ref().expect("a plan with `proxies`")
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
