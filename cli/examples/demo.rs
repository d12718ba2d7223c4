//! The main job of p2pchan, shown without any network: `make demo`.
//!
//! Starts a BitTorrent DHT on loopback and two processes that know only a phrase and that network's
//! address; sees them find each other there, and has them exchange messages both ways. Prints what
//! was opened, what was found, where, and how long each step took. Ends by itself, with exit code 0
//! if all of that happened; its processes end with it, however it ends.

use std::{
    collections::VecDeque,
    env,
    error::Error,
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    signal,
    sync::mpsc,
    time::timeout,
};

const PHRASE: &str = "two programs that share a phrase";
/// Far more than it takes: seconds, most of them in the DHT.
const DEADLINE: Duration = Duration::from_secs(120);
/// Messages that each side sends.
const MESSAGES: usize = 1000;
/// Lines of a process that wait to be looked at; then it waits too.
const WAITING: usize = 64;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = tokio::select! {
        outcome = timeout(DEADLINE, demonstrate()) => match outcome {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("not done within {} s", DEADLINE.as_secs()).into()),
        },
        _ = signal::ctrl_c() => Err("stopped".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn demonstrate() -> Outcome<()> {
    let program = program()?;
    let mut clock = Clock::start();

    let mut network = Process::start(&program, "network", &["testnet", "--json"])?;
    let entrance = network.next("bootstrap").await?["bootstrap"][0].as_str().map(String::from);
    let entrance = entrance.ok_or("the network told no address")?;
    clock.step(&format!("a BitTorrent DHT runs on this machine; it is entered at {entrance}"));

    let options =
        ["join", PHRASE, "--lan=off", "--bootstrap", &entrance, "--listen", "127.0.0.1:0"];
    let options = [&options[..], &["--until", "1", "--json", "--verbose"]].concat();
    let mut ann = Process::start(&program, "Ann", &options)?;
    let mut ben = Process::start(&program, "Ben", &options)?;
    clock.step(&format!("two processes, Ann and Ben, know that address and {PHRASE:?}"));

    for person in [&mut ann, &mut ben] {
        let socket = person.event("opened").await?;
        println!(
            "          {} opened {} for {}",
            person.name,
            text(&socket, "socket"),
            text(&socket, "source")
        );
        let listening = person.event("listening").await?;
        println!("          {} listens on {}", person.name, text(&listening, "address"));
    }
    clock.step("both are up");

    for person in [&mut ann, &mut ben] {
        let opened = person.event("remote_opened").await?;
        for found in person.all("found") {
            println!(
                "          {} found {} through {}",
                person.name,
                text(&found, "address"),
                text(&found, "source")
            );
        }
        let peer: String = text(&opened, "peer").chars().take(8).collect();
        println!("          {} has a remote: {peer} at {}", person.name, text(&opened, "address"));
    }
    clock.step("they found each other, and proved to each other that they know the phrase");

    ann.say("Hello, Ben!").await?;
    ben.hears("Hello, Ben!").await?;
    ben.say("Hello, Ann!").await?;
    ann.hears("Hello, Ann!").await?;
    clock.step("they said hello, both ways");

    tokio::try_join!(ann.count(), ben.count())?;
    clock.step(&format!("each heard {MESSAGES} messages of the other: all, in order, once"));

    ann.hang_up();
    let ann_ended = ann.end().await?;
    ben.event("remote_ended").await?;
    ben.hang_up();
    let ben_ended = ben.end().await?;
    if !ann_ended.success() || !ben_ended.success() {
        return Err(format!("Ann ended with {ann_ended}, Ben with {ben_ended}").into());
    }
    clock.step("both flushed, ended and exited with code 0");
    println!("{:7.3} s in all", clock.total());
    Ok(())
}

/// The program lies one folder above the examples.
fn program() -> Outcome<PathBuf> {
    let name = format!("p2pchan{}", env::consts::EXE_SUFFIX);
    let path = env::current_exe()?.parent().and_then(Path::parent).map(|folder| folder.join(name));
    path.filter(|path| path.exists()).ok_or_else(|| "p2pchan is not built; use `make demo`".into())
}

/// A member of `event`, such as its address.
fn text<'a>(event: &'a Value, member: &str) -> &'a str {
    event[member].as_str().unwrap_or("?")
}

/// Says how long each step took.
struct Clock {
    began: Instant,
    step: Instant,
}

impl Clock {
    fn start() -> Self {
        let now = Instant::now();
        Self { began: now, step: now }
    }

    fn step(&mut self, what: &str) {
        println!("{:7.3} s  {what}", self.step.elapsed().as_secs_f64());
        self.step = Instant::now();
    }

    fn total(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

/// A process that is killed when this is dropped, and the JSON lines that it prints.
struct Process {
    name: &'static str,
    child: Child,
    stdin: Option<ChildStdin>,
    said: mpsc::Receiver<Value>,
    told: mpsc::Receiver<Value>,
    /// Events that were passed over while another was waited for.
    passed: VecDeque<Value>,
}

impl Process {
    fn start(program: &Path, name: &'static str, arguments: &[&str]) -> Outcome<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take();
        let said = lines(child.stdout.take().ok_or("no standard output")?);
        let told = lines(child.stderr.take().ok_or("no standard error")?);
        Ok(Self { name, child, stdin, said, told, passed: VecDeque::new() })
    }

    /// The next object on standard output, which must have this member.
    async fn next(&mut self, member: &str) -> Outcome<Value> {
        match self.said.recv().await {
            Some(object) if object.get(member).is_some() => Ok(object),
            Some(other) => Err(format!("{} printed {other}", self.name).into()),
            None => Err(self.failed().await.into()),
        }
    }

    /// The next event of this name on standard error.
    async fn event(&mut self, name: &str) -> Outcome<Value> {
        if let Some(event) = self.all_one(name) {
            return Ok(event);
        }
        while let Some(event) = self.told.recv().await {
            if event["event"] == name {
                return Ok(event);
            }
            self.passed.push_back(event);
        }
        Err(self.failed().await.into())
    }

    fn all_one(&mut self, name: &str) -> Option<Value> {
        let place = self.passed.iter().position(|event| event["event"] == name)?;
        self.passed.remove(place)
    }

    /// All events of this name so far.
    fn all(&mut self, name: &str) -> Vec<Value> {
        while let Ok(event) = self.told.try_recv() {
            self.passed.push_back(event);
        }
        std::iter::from_fn(|| self.all_one(name)).collect()
    }

    /// What the process said before it ended.
    async fn failed(&mut self) -> String {
        let errors: Vec<_> = self.all("error");
        let why =
            errors.first().map_or("without a word", |error| text(error, "message")).to_owned();
        match self.child.wait().await {
            Ok(status) => format!("{} ended too early, {status}: {why}", self.name),
            Err(error) => format!("{}: {error}", self.name),
        }
    }

    async fn say(&mut self, line: &str) -> Outcome<()> {
        let stdin = self.stdin.as_mut().ok_or("hung up already")?;
        stdin.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(())
    }

    async fn hears(&mut self, line: &str) -> Outcome<()> {
        let heard = self.next("text").await?;
        if text(&heard, "text") == line {
            return Ok(());
        }
        Err(format!("{} heard {heard} instead of {line:?}", self.name).into())
    }

    /// Says all numbers and hears those of the other, at the same time.
    async fn count(&mut self) -> Outcome<()> {
        let mut stdin = self.stdin.take().ok_or("hung up already")?;
        let numbers: String = (1..=MESSAGES).map(|number| format!("{number}\n")).collect();
        let say = async { Outcome::Ok(stdin.write_all(numbers.as_bytes()).await?) };
        let hear = async {
            for number in 1..=MESSAGES {
                self.hears(&number.to_string()).await?;
            }
            Ok(())
        };
        tokio::try_join!(say, hear)?;
        self.stdin = Some(stdin);
        Ok(())
    }

    /// The end of its input.
    fn hang_up(&mut self) {
        self.stdin = None;
    }

    async fn end(&mut self) -> Outcome<ExitStatus> {
        Ok(self.child.wait().await?)
    }
}

/// Lines of JSON; what is something else is kept as an error to be shown.
fn lines(output: impl AsyncRead + Send + Unpin + 'static) -> mpsc::Receiver<Value> {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let object = serde_json::from_str(&line)
                .unwrap_or_else(|_| serde_json::json!({ "event": "error", "message": line }));
            if sender.send(object).await.is_err() {
                return;
            }
        }
    });
    receiver
}
