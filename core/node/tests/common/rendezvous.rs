//! A discovery service of the tests' own: nodes of one process that tell each other.

use p2pchan::{Address, BoxFuture, DiscoveryService, Error, Found, Topic};
use tokio::sync::watch;

/// Nobody is found before a number of nodes have come, so that all dial at the same moment.
#[derive(Clone)]
pub(crate) struct Rendezvous {
    wanted: usize,
    here: watch::Sender<Vec<Address>>,
}

impl Rendezvous {
    pub(crate) fn of(wanted: usize) -> Self {
        Self { wanted, here: watch::channel(Vec::new()).0 }
    }
}

impl DiscoveryService for Rendezvous {
    fn name(&self) -> &str {
        "rendezvous"
    }

    fn announce<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async {
            self.here.send_modify(|here| {
                for address in topic.listening() {
                    if !here.contains(address) {
                        here.push(*address);
                    }
                }
            });
            Ok(())
        })
    }

    fn look_up<'a>(&'a self, _: &'a Topic, found: &'a Found) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async {
            let mut here = self.here.subscribe();
            let all = here.wait_for(|here| here.len() >= self.wanted).await.unwrap().clone();
            all.into_iter().for_each(|address| found.address(address));
            Ok(())
        })
    }
}

/// Tells of one address, whoever asks.
pub(crate) struct Tells(pub(crate) Address);

impl DiscoveryService for Tells {
    fn name(&self) -> &str {
        "tells"
    }

    fn look_up<'a>(&'a self, _: &'a Topic, found: &'a Found) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async {
            found.address(self.0);
            Ok(())
        })
    }
}
