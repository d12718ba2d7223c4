//! The player in Rust: see the page beside it.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crc::{CRC_32_ISO_HDLC, Crc};
use p2pchan::{
    AsMessage, Changes, Error, ErrorKind, Kind, Message, Node, Remote, Sender, Target,
    settings_from_json,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    sync::Notify,
};

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
/// Text that is not longer is shown as it is.
const SHORT: usize = 256;

type Answer = Result<Value, Error>;

#[derive(Deserialize)]
struct Order {
    order: u64,
    #[serde(rename = "do")]
    verb: String,
    #[serde(default)]
    settings: Value,
    #[serde(default)]
    remote: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    target: String,
    subject: Option<String>,
    secret: Option<String>,
    topic: Option<String>,
    hex: Option<String>,
    text: Option<String>,
    json: Option<String>,
    size: Option<usize>,
    count: Option<u64>,
}

/// A remote, and what it has done.
struct Known {
    /// None once it was ended. One at a time reads.
    remote: tokio::sync::Mutex<Option<Remote>>,
    sender: Sender,
    sent: AtomicU64,
}

#[derive(Default)]
struct Player {
    node: Mutex<Option<Node>>,
    remotes: Mutex<BTreeMap<String, Arc<Known>>>,
    /// Remotes that came by themselves.
    waiting: Mutex<VecDeque<Remote>>,
    came: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let player = Arc::new(Player::default());
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = orders.next_line().await? {
        let order: Order = serde_json::from_str(&line)?;
        let player = player.clone();
        tokio::spawn(async move {
            let number = order.order;
            let mut answer = match player.obey(order).await {
                Ok(Value::Object(answer)) => answer,
                Ok(_) => Map::new(),
                Err(error) => error_as_json(&error),
            };
            answer.insert("order".into(), number.into());
            // Nobody listens any more, and then nothing follows.
            let _ = writeln!(std::io::stdout().lock(), "{}", Value::Object(answer));
        });
    }
    Ok(())
}

fn error_as_json(error: &Error) -> Map<String, Value> {
    let fields = [("error", error.kind().code()), ("message", error.message())];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

impl Player {
    async fn obey(self: Arc<Self>, order: Order) -> Answer {
        match order.verb.as_str() {
            "start" => self.start(&order).await,
            "stop" => self.stop().await,
            "addresses" => Ok(addresses(&self.node()?)),
            "status" => Ok(json!({"status": self.node()?.status()})),
            "explain" => {
                let target: Target = order.target.parse()?;
                Ok(json!({"explanation": self.node()?.explain(target)}))
            }
            "update" => {
                let changes = settings_from_json(&order.settings)?;
                self.node()?.update(changes).await.map(|()| Value::Null)
            }
            "discover" => self.discover(&order).await,
            "forget" => self.forget(&order),
            "connect" => {
                let remote = self.node()?.connect(order.address.parse()?).await?;
                Ok(self.name(order.remote, remote))
            }
            "remote" => self.remote(order).await,
            "waiting" => Ok(json!({"count": lock(&self.waiting).len()})),
            "end" => {
                let remote = self.known(&order)?.remote.lock().await.take();
                remote.ok_or_else(|| invalid("it was ended"))?.end().await.map(|()| Value::Null)
            }
            _ => self.known(&order)?.obey(&order).await,
        }
    }

    fn node(&self) -> Result<Node, Error> {
        lock(&self.node).clone().ok_or_else(|| invalid("there is no node"))
    }

    fn known(&self, order: &Order) -> Result<Arc<Known>, Error> {
        let known = lock(&self.remotes).get(&order.remote).cloned();
        known.ok_or_else(|| invalid(format!("there is no remote {:?}", order.remote)))
    }

    async fn start(self: Arc<Self>, order: &Order) -> Answer {
        let changes: Changes = settings_from_json(&order.settings)?;
        let node = Node::builder().settings(changes).start().await?;
        *lock(&self.node) = Some(node.clone());
        let mut answer = addresses(&node);
        answer["id"] = node.id().to_string().into();
        tokio::spawn(async move {
            while let Some(remote) = node.next_remote().await {
                lock(&self.waiting).push_back(remote);
                self.came.notify_waiters();
            }
        });
        Ok(answer)
    }

    async fn stop(&self) -> Answer {
        let node = lock(&self.node).take();
        if let Some(node) = node {
            node.close().await;
        }
        lock(&self.remotes).clear();
        lock(&self.waiting).clear();
        Ok(Value::Null)
    }

    async fn discover(&self, order: &Order) -> Answer {
        let node = self.node()?;
        let discovery = match (&order.subject, &order.secret, &order.topic) {
            (Some(subject), None, None) => node.discover(subject),
            (Some(subject), Some(secret), None) => node.discover_with_secret(subject, secret),
            (None, None, Some(topic)) => node.discover_topic(thirty_two_bytes(topic)?),
            _ => Err(invalid("give a subject or a topic")),
        };
        discovery?.flushed().await.map(|()| Value::Null)
    }

    fn forget(&self, order: &Order) -> Answer {
        match (&order.subject, &order.topic) {
            (Some(subject), None) => self.node()?.stop_discover(subject)?,
            (None, Some(topic)) => self.node()?.stop_discover_topic(thirty_two_bytes(topic)?),
            _ => return Err(invalid("give a subject or a topic")),
        }
        Ok(Value::Null)
    }

    async fn remote(&self, order: Order) -> Answer {
        loop {
            let mut came = std::pin::pin!(self.came.notified());
            came.as_mut().enable();
            let remote = {
                let mut waiting = lock(&self.waiting);
                let fits = |it: &Remote| order.subject.as_ref().is_none_or(|s| s == it.subject());
                waiting.iter().position(fits).and_then(|place| waiting.remove(place))
            };
            match remote {
                Some(remote) => return Ok(self.name(order.remote, remote)),
                None => came.await,
            }
        }
    }

    fn name(&self, name: String, remote: Remote) -> Value {
        let answer = json!({
            "peer": remote.peer().to_string(),
            "subject": remote.subject(),
            "address": remote.address().to_string(),
            "transport": remote.transport().to_string(),
        });
        let sender = remote.sender();
        let remote = tokio::sync::Mutex::new(Some(remote));
        let known = Known { remote, sender, sent: AtomicU64::new(0) };
        lock(&self.remotes).insert(name, Arc::new(known));
        answer
    }
}

impl Known {
    async fn obey(&self, order: &Order) -> Answer {
        match order.verb.as_str() {
            "send" => self.send(order).await?,
            "flood" => self.flood(order).await?,
            "progress" => return Ok(json!({"sent": self.sent.load(Ordering::Relaxed)})),
            "recv" => return self.recv().await,
            "drain" => return self.drain(order.count.unwrap_or(u64::MAX)).await,
            "finish" => self.sender.finish(),
            "refuse" => self.sender.refuse(),
            unknown => return Err(invalid(format!("there is no order {unknown:?}"))),
        }
        Ok(Value::Null)
    }

    async fn send(&self, order: &Order) -> Result<(), Error> {
        match (&order.hex, &order.text, &order.json, order.size) {
            (Some(hex), None, None, None) => self.sender.send(bytes(hex)?).await,
            (None, Some(text), None, None) => self.sender.send(text).await,
            (None, None, Some(json), None) => {
                let value: Value =
                    serde_json::from_str(json).map_err(|error| invalid(error.to_string()))?;
                match is_exact(&value) {
                    true => self.sender.send(value).await,
                    false => self.sender.send(Json(json)).await,
                }
            }
            (None, None, None, Some(size)) => self.sender.send(message(0, size)).await,
            _ => Err(invalid("give one of hex, text, json and size")),
        }
    }

    async fn flood(&self, order: &Order) -> Result<(), Error> {
        let size = order.size.unwrap_or_default();
        for number in 0..order.count.unwrap_or_default() {
            let length = number * 7919 % (size as u64 + 1);
            self.sender.send(message(number, usize::try_from(length).unwrap_or(size))).await?;
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn recv(&self) -> Answer {
        let mut remote = self.remote.lock().await;
        let remote = remote.as_mut().ok_or_else(|| invalid("it was ended"))?;
        let message = remote.recv().await?;
        let message = message.ok_or_else(|| Error::new(ErrorKind::Closed, "the peer has ended"))?;
        let payload = message.payload();
        if message.kind() == Kind::Json {
            // It can be read as Rust programs do.
            message.json::<Value>()?;
            return Ok(json!({"kind": "json", "value": String::from_utf8_lossy(payload)}));
        }
        let kind = if message.kind() == Kind::Text { "text" } else { "bytes" };
        let (length, crc) = (payload.len(), CRC.checksum(payload));
        let text = message.as_text().filter(|text| text.len() <= SHORT);
        Ok(json!({"kind": kind, "length": length, "crc": crc, "value": text}))
    }

    async fn drain(&self, most: u64) -> Answer {
        let mut remote = self.remote.lock().await;
        let remote = remote.as_mut().ok_or_else(|| invalid("it was ended"))?;
        let (mut digest, mut count, mut end) = (CRC.digest(), 0, None);
        while count < most && end.is_none() {
            match remote.recv().await {
                Ok(Some(message)) => {
                    digest.update(message.payload());
                    count += 1;
                }
                Ok(None) => end = Some("OK"),
                Err(error) => end = Some(error.kind().code()),
            }
        }
        Ok(json!({"count": count, "crc": digest.finalize(), "end": end}))
    }
}

fn addresses(node: &Node) -> Value {
    let addresses: Vec<_> = node.addresses().iter().map(ToString::to_string).collect();
    json!({"addresses": addresses})
}

/// Whether no number in it may have been an integer of more than 64 bits, which becomes a float.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            !number.is_f64() || number.as_f64().is_some_and(|it| it.abs() < 1e18)
        }
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        _ => true,
    }
}

/// JSON that has been written already.
struct Json<'a>(&'a str);

impl AsMessage for Json<'_> {
    fn as_message(&self) -> Result<(Kind, std::borrow::Cow<'_, [u8]>), Error> {
        Ok((Kind::Json, self.0.as_bytes().into()))
    }
}

fn message(number: u64, length: usize) -> Message {
    let mut message = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    let bytes: Vec<u8> = (0..=255).collect();
    message.extend(bytes.repeat(length / bytes.len() + 1));
    message.truncate(length);
    Message::bytes(message)
}

fn bytes(hex: &str) -> Result<Vec<u8>, Error> {
    let digit = |it: u8| char::from(it).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let pairs = hex.as_bytes().chunks(2).map(|pair| match pair {
        &[high, low] => Some(digit(high)? * 16 + digit(low)?),
        _ => None,
    });
    pairs.collect::<Option<_>>().ok_or_else(|| invalid(format!("{hex} is not hex")))
}

fn thirty_two_bytes(hex: &str) -> Result<[u8; 32], Error> {
    bytes(hex)?.try_into().map_err(|_| invalid(format!("{hex} is not 32 bytes")))
}
