//! Standard input, cut into lines by a thread of its own.

use std::{
    io::{self, BufRead, BufReader, Read},
    mem, thread,
};

use p2pchan::Message;
use tokio::sync::mpsc;

use crate::exit::Failure;

/// The longest line: the default of `limits.message`, beyond which no peer takes it.
const LONGEST_LINE: usize = 16 * 1024 * 1024;
/// Bytes read at once, and after which lines are handed over even if more are at hand.
const BLOCK: usize = 64 * 1024;
/// Batches that wait while remotes are slow: enough to read on while one is sent. Each holds at most
/// a block and one line more.
const BATCHES: usize = 2;

/// Lines in order, or why there are no more.
pub(super) type Batch = Result<Vec<Message>, Failure>;

/// Begins to read standard input. The channel closes at its end.
pub(super) fn start() -> mpsc::Receiver<Batch> {
    let (batches, lines) = mpsc::channel(BATCHES);
    thread::spawn(move || {
        let input = BufReader::with_capacity(BLOCK, io::stdin().lock());
        read(input, LONGEST_LINE, |batch| batches.blocking_send(batch).is_ok());
    });
    lines
}

/// Reads to the end, and hands over lines as soon as no further whole line is at hand, until
/// `hand_over` does not want more.
fn read<R: Read>(
    mut input: BufReader<R>,
    longest: usize,
    mut hand_over: impl FnMut(Batch) -> bool,
) {
    let mut batch = Vec::new();
    let mut size = 0;
    let mut number = 0_u64;
    loop {
        number += 1;
        let line = match read_line(&mut input, longest) {
            Ok(Some(line)) => line,
            end => {
                if (batch.is_empty() || hand_over(Ok(batch)))
                    && let Some(failure) = why(end, number)
                {
                    hand_over(Err(failure));
                }
                return;
            }
        };
        size += line.len();
        batch.push(message(line));
        if size >= BLOCK || !input.buffer().contains(&b'\n') {
            size = 0;
            if !hand_over(Ok(mem::take(&mut batch))) {
                return;
            }
        }
    }
}

enum Unreadable {
    TooLong,
    Io(io::Error),
}

fn why(end: Result<Option<Vec<u8>>, Unreadable>, number: u64) -> Option<Failure> {
    Some(Failure::new(match end {
        Ok(_) => return None,
        Err(Unreadable::TooLong) => format!(
            "line {number} is longer than {LONGEST_LINE} bytes; it and what follows were not sent"
        ),
        Err(Unreadable::Io(error)) => format!("cannot read standard input: {error}"),
    }))
}

/// A line without its newline; `None` at the end of the input.
fn read_line(input: &mut impl BufRead, longest: usize) -> Result<Option<Vec<u8>>, Unreadable> {
    let mut line = Vec::new();
    // One more for the newline.
    let bound = u64::try_from(longest).unwrap_or(u64::MAX).saturating_add(1);
    input.take(bound).read_until(b'\n', &mut line).map_err(Unreadable::Io)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.is_empty() {
        return Ok(None);
    } else if line.len() > longest {
        return Err(Unreadable::TooLong);
    }
    Ok(Some(line))
}

fn message(line: Vec<u8>) -> Message {
    match String::from_utf8(line) {
        Ok(text) => Message::text(text),
        Err(error) => Message::bytes(error.into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use p2pchan::Kind;

    use super::*;

    /// All lines, and why the reading ended, if it failed.
    fn lines(input: &[u8], longest: usize) -> (Vec<Message>, Option<String>) {
        let (mut lines, mut failure) = (Vec::new(), None);
        read(BufReader::with_capacity(16, input), longest, |batch| {
            match batch {
                Ok(batch) => lines.extend(batch),
                Err(error) => failure = Some(error.message),
            }
            true
        });
        (lines, failure)
    }

    fn texts(input: &[u8]) -> Vec<String> {
        let (lines, failure) = lines(input, 1000);
        assert_eq!(failure, None);
        lines.iter().map(|line| line.as_text().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_last_line_without_a_newline_is_a_line_and_an_empty_line_is_one() {
        assert_eq!(
            texts(b"a\n\nlonger than the buffer\nb"),
            ["a", "", "longer than the buffer", "b"]
        );
        assert!(texts(b"").is_empty());
        assert_eq!(texts(b"\n"), [""]);
    }

    #[test]
    fn what_is_not_utf8_travels_as_bytes() {
        let (lines, _) = lines(b"\xff\xfe\ntext\n", 1000);
        assert_eq!(lines[0].kind(), Kind::Bytes);
        assert_eq!(&lines[0].payload()[..], b"\xff\xfe");
        assert_eq!(lines[1].as_text(), Some("text"));
    }

    #[test]
    fn a_line_over_the_limit_ends_the_reading_and_says_which_but_keeps_those_before() {
        let (before, failure) = lines(b"12345\n123456\nlost", 5);
        assert_eq!(before.len(), 1);
        assert!(failure.unwrap().starts_with("line 2 is longer"));
    }

    #[test]
    fn a_line_that_is_complete_does_not_wait_for_the_next() {
        let mut batches = Vec::new();
        read(BufReader::with_capacity(6, &b"a\nb\nc"[..]), 100, |batch| {
            batches.push(batch.unwrap().len());
            true
        });
        // "a" and "b" are whole within the first block, "c" only at the end.
        assert_eq!(batches, [2, 1]);
    }
}
