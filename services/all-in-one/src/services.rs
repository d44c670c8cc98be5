//! The services of the platform, each after those that it calls; identity is opened before them.

use guildhall_messaging::Messaging;
use guildhall_runtime::Result;
use guildhall_service::Service;
use guildhall_webhooks::Webhooks;

use crate::opened::Opened;

/// Each line is a service: its settings are flags of this process, and it is opened in its turn.
macro_rules! services {
    ($($name:ident: $service:ty,)+) => {
        /// What an operator decides about single services.
        #[derive(Debug, clap::Args)]
        #[group(id = "services")]
        pub struct ServiceSettings {
            $(
                #[command(flatten)]
                #[doc = concat!("About ", stringify!($name), ".")]
                pub $name: <$service as Service>::Settings,
            )+
        }

        /// Opens them.
        pub async fn open(opened: &mut Opened<'_>, settings: &ServiceSettings) -> Result<()> {
            $(opened.open::<$service>(&settings.$name).await?;)+
            Ok(())
        }
    };
}

services! {
    messaging: Messaging,
    webhooks: Webhooks,
}
