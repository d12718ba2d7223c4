//! p2pchan, through its public interface and as a program would use it: no setting is tuned, only
//! limits are raised where hundreds of nodes share one address.

use p2pchan::{Address, Node, Remote};

use crate::{Outcome, connect::Connector, link::Link, play::announce};

/// What both ends discover: a raw topic, as deriving keys from a phrase takes 20 ms by design.
const TOPIC: [u8; 32] = [7; 32];

pub(crate) struct OurLink {
    node: Node,
    remote: Remote,
}

impl OurLink {
    pub(crate) async fn dial(address: &str) -> Outcome<Self> {
        let node = dialling_node().await?;
        let remote = node.connect(address.parse()?).await?;
        Ok(Self { node, remote })
    }

    pub(crate) async fn accept() -> Outcome<Self> {
        Self::accepted(accepting_node().await?).await
    }

    pub(crate) async fn accept_quic() -> Outcome<Self> {
        Self::accepted(accepting_at("quic://127.0.0.1:0").await?).await
    }

    async fn accepted(node: Node) -> Outcome<Self> {
        let remote = node.next_remote().await.ok_or("the node closed")?;
        Ok(Self { node, remote })
    }
}

impl Link for OurLink {
    #[inline]
    async fn send(&mut self, message: &[u8]) -> Outcome<()> {
        Ok(self.remote.send(message).await?)
    }

    #[inline]
    async fn flush(&mut self) -> Outcome<()> {
        Ok(())
    }

    #[inline]
    async fn receive<T>(&mut self, take: impl FnOnce(&[u8]) -> T + Send) -> Outcome<Option<T>> {
        Ok(self.remote.recv().await?.map(|message| take(message.payload())))
    }

    async fn receive_some(&mut self, mut take: impl FnMut(&[u8]) + Send) -> Outcome<bool> {
        let Some(batch) = self.remote.recv_batch().await? else { return Ok(false) };
        batch.lent().for_each(|(_, payload)| take(payload));
        Ok(true)
    }

    async fn close(self) -> Outcome<()> {
        self.remote.end().await?;
        self.node.close().await;
        Ok(())
    }
}

/// The accepting end of many remotes: holds each until the other end leaves.
pub(crate) async fn hold() -> Outcome<()> {
    let node = accepting_node().await?;
    while let Some(mut remote) = node.next_remote().await {
        tokio::spawn(async move { while let Ok(Some(_)) = remote.recv().await {} });
    }
    Ok(())
}

/// Remotes of as many nodes, as two nodes have one connection however often they dial.
pub(crate) struct Remotes {
    address: Address,
}

impl Remotes {
    pub(crate) fn to(address: &str) -> Outcome<Self> {
        Ok(Self { address: address.parse()? })
    }
}

impl Connector for Remotes {
    type Ready = Node;
    type Open = (Node, Remote);

    async fn ready(&self) -> Outcome<Node> {
        dialling_node().await
    }

    async fn connect(&self, node: Node) -> Outcome<Self::Open> {
        let remote = node.connect(self.address).await?;
        Ok((node, remote))
    }

    async fn close(&self, (node, remote): Self::Open) -> Outcome<()> {
        remote.end().await?;
        node.close().await;
        Ok(())
    }
}

pub(crate) async fn dialling_node() -> Outcome<Node> {
    let node = Node::builder().start().await?;
    node.discover_topic(TOPIC)?;
    Ok(node)
}

pub(crate) async fn accepting_node() -> Outcome<Node> {
    accepting_at("tcp://127.0.0.1:0").await
}

async fn accepting_at(address: &str) -> Outcome<Node> {
    let node = node_at(address).await?;
    announce(node.addresses().first().ok_or("the node listens nowhere")?)?;
    Ok(node)
}

/// A node that takes as many remotes as any benchmark makes.
pub(crate) async fn node_at(address: &str) -> Outcome<Node> {
    let node = Node::builder()
        .set("listen", address)
        .set("limits.remotes", 2048)
        .set("limits.waiting", 2048)
        .start()
        .await?;
    node.discover_topic(TOPIC)?;
    Ok(node)
}
