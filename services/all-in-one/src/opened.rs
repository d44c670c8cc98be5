//! The services of this process that are open. They call each other through the same layers as over
//! a network, without a socket.

use guildhall_auth::{AccessLayer, Guard, PeerTokens, RpcTable};
use guildhall_catalog::Service as Entry;
use guildhall_events::jetstream::{self, JetStream};
use guildhall_identity::Identity;
use guildhall_runtime::{Peer, Result};
use guildhall_server::{Peers, Rpcs, ServeSettings, process, stack};
use guildhall_service::{Context, Environment, EventSource, Running, Service};

/// The services that are open.
pub struct Opened<'a> {
    environment: &'a Environment,
    /// Lets callers in, at the RPCs and at the gateway's routes.
    pub guard: Guard,
    access: AccessLayer,
    tokens: PeerTokens,
    services: Vec<Box<dyn Running>>,
}

impl<'a> Opened<'a> {
    /// Identity alone, by which callers of all services are known.
    pub fn first(
        identity: &Identity,
        environment: &'a Environment,
        settings: &ServeSettings,
    ) -> Result<Self> {
        let (rate, source) = (settings.rate_limit(), identity.credential_source());
        let guard = Guard::new(source, rate, &environment.signals);
        let tokens = PeerTokens::new(&environment.secret);
        Ok(Self {
            access: AccessLayer::new(guard.clone(), RpcTable::load()?, tokens.clone()),
            environment,
            guard,
            tokens,
            services: vec![Box::new(identity.clone())],
        })
    }

    /// Opens another one, which calls those that are open already.
    pub async fn open<S: Service>(&mut self, settings: &S::Settings) -> Result<()> {
        let mut rpcs = Rpcs::default();
        self.add_services(&mut rpcs);
        let peer = Peer::in_process(stack(rpcs.routes(), self.access.clone()));
        let peers = self.peers(S::ENTRY.peers, peer);
        let context = Context {
            environment: self.environment,
            peers: &peers,
            settings,
        };
        let (shutdown, signals) = (&self.environment.shutdown, &self.environment.signals);
        let service = process::open(shutdown, signals, S::open(context)).await?;
        self.services.push(Box::new(service));
        Ok(())
    }

    /// Adds their gRPC services.
    pub fn add_services(&self, rpcs: &mut Rpcs) {
        for service in &self.services {
            service.add_services(rpcs);
        }
    }

    /// `services`, all of them behind `peer`, with a peer token in every call.
    pub fn peers(&self, services: &[&'static Entry], peer: Peer) -> Peers {
        let peer = self.tokens.sign_calls(peer);
        let services = services.iter();
        services.map(|service| (*service, peer.clone())).collect()
    }

    /// The layer in front of every RPC.
    pub fn access(&self) -> AccessLayer {
        self.access.clone()
    }

    /// Has the events of all services carried to those that handle them: over `streams`, or inside
    /// the process.
    pub fn carry_events(&self, streams: Option<&JetStream>, settings: &ServeSettings) {
        let outboxes = self.services.iter().map(|service| service.outbox());
        let source = match streams {
            None => EventSource::Process {
                outboxes: outboxes.collect(),
                retention: settings.event_retention,
            },
            Some(streams) => {
                for outbox in outboxes {
                    jetstream::publish(outbox, streams, &self.environment.shutdown);
                }
                EventSource::Streams(streams)
            }
        };
        for service in &self.services {
            service.consume(&source);
        }
    }

    /// Resolves, once the process is to stop, when work that was begun has ended.
    pub async fn finished(&self) {
        for service in &self.services {
            service.finished().await;
        }
    }
}
