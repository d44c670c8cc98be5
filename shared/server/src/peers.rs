//! The services that a process calls, and the flags that say where they are.

use std::{collections::BTreeMap, fmt, marker::PhantomData, slice};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};
use guildhall_catalog::Service;
use guildhall_runtime::{Error, Peer, Result, peer::Address};

/// The services that a process calls, by name; every call to them carries a peer token.
#[derive(Debug, Clone, Default)]
pub struct Peers(BTreeMap<&'static str, Peer>);

impl Peers {
    /// How to call `service`, if the process does.
    #[must_use]
    pub fn find(&self, service: &Service) -> Option<Peer> {
        self.0.get(service.name).cloned()
    }

    /// How to call `service`.
    ///
    /// # Errors
    /// A broken build: when the catalogue does not list it among the services that are called.
    pub fn get(&self, service: &Service) -> Result<Peer> {
        let missing = || Error::bug(format!("{} is not among the peers", service.name));
        self.find(service).ok_or_else(missing)
    }

    /// Every service that is called, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Peer)> {
        self.0.iter().map(|(name, peer)| (*name, peer))
    }
}

impl FromIterator<(&'static Service, Peer)> for Peers {
    fn from_iter<I: IntoIterator<Item = (&'static Service, Peer)>>(peers: I) -> Self {
        let peers = peers.into_iter();
        Self(peers.map(|(service, peer)| (service.name, peer)).collect())
    }
}

/// Which services a process calls, and how its flags say where they are.
pub trait Calls: 'static {
    /// The services that it calls.
    const SERVICES: &'static [&'static Service];
    /// Whether a service whose flag is missing is taken to be on this machine, at its default port.
    /// Otherwise the flag is required, and can also be given as a variable.
    const LOCAL_BY_DEFAULT: bool = false;
}

/// Where the services are that a process calls: a flag for each (`--identity-url`).
pub struct PeerUrls<C> {
    by_service: Vec<(&'static Service, Vec<Address>)>,
    calls: PhantomData<fn() -> C>,
}

impl<C> PeerUrls<C> {
    /// Each service with its replicas, or a name that stands for several of them.
    pub fn iter(&self) -> slice::Iter<'_, (&'static Service, Vec<Address>)> {
        self.by_service.iter()
    }

    /// The first address of a service; none for a service that is not called.
    pub fn first(&self, service: &Service) -> Option<&Address> {
        let mut services = self.by_service.iter();
        let (_, addresses) = services.find(|(known, _)| *known == service)?;
        addresses.first()
    }
}

impl<C> fmt::Debug for PeerUrls<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services = self.by_service.iter();
        f.debug_map()
            .entries(services.map(|(service, addresses)| (service.name, addresses)))
            .finish()
    }
}

impl<C: Calls> Args for PeerUrls<C> {
    fn augment_args(command: Command) -> Command {
        C::SERVICES.iter().fold(command, |command, service| {
            command.arg(argument::<C>(service))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn argument<C: Calls>(service: &Service) -> Arg {
    let flag = service.url_flag();
    let argument = Arg::new(flag.clone())
        .long(flag)
        .help(format!(
            "The replicas of {}, separated by commas; a name may stand for several",
            service.name
        ))
        .value_name("URL")
        .value_delimiter(',')
        .value_parser(value_parser!(Address));
    if C::LOCAL_BY_DEFAULT {
        argument.default_value(format!("http://127.0.0.1:{}", service.port))
    } else {
        argument.required(true).env(service.url_variable())
    }
}

impl<C: Calls> FromArgMatches for PeerUrls<C> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let addresses = |service: &Service| {
            let given = matches.get_many::<Address>(&service.url_flag());
            given.into_iter().flatten().cloned().collect()
        };
        let services = C::SERVICES.iter();
        Ok(Self {
            by_service: services
                .map(|service| (*service, addresses(service)))
                .collect(),
            calls: PhantomData,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use guildhall_catalog::{IDENTITY, MESSAGING, SERVICES};

    use super::*;

    struct Strict;

    impl Calls for Strict {
        const SERVICES: &'static [&'static Service] = &[IDENTITY];
    }

    struct Local;

    impl Calls for Local {
        const SERVICES: &'static [&'static Service] = SERVICES;
        const LOCAL_BY_DEFAULT: bool = true;
    }

    fn parse<C: Calls>(args: &[&str]) -> Result<PeerUrls<C>, clap::Error> {
        let command = PeerUrls::<C>::augment_args(Command::new("test"));
        let matches = command.try_get_matches_from([&["test"], args].concat())?;
        PeerUrls::from_arg_matches(&matches)
    }

    #[test]
    fn a_flag_names_all_replicas_and_must_be_given() {
        let urls = parse::<Strict>(&["--identity-url", "http://a:1,https://b:2"]).unwrap();
        let (service, addresses) = urls.iter().next().unwrap();
        assert_eq!((*service, addresses.len()), (IDENTITY, 2));
        assert_eq!(urls.first(IDENTITY).unwrap().to_string(), "http://a:1");
        assert!(urls.first(MESSAGING).is_none());
        assert!(parse::<Strict>(&[]).is_err());
        assert!(parse::<Strict>(&["--messaging-url", "http://a:1"]).is_err());
    }

    #[test]
    fn a_command_finds_the_services_on_this_machine_by_itself() {
        let urls = parse::<Local>(&["--identity-url", "http://a:1"]).unwrap();
        assert_eq!(urls.iter().count(), SERVICES.len());
        assert_eq!(urls.first(IDENTITY).unwrap().to_string(), "http://a:1");
        let messaging = urls.first(MESSAGING).unwrap().to_string();
        assert_eq!(messaging, "http://127.0.0.1:50051");
    }
}
