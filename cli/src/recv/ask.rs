//! The question whether to take what is offered.

use std::io::{self, BufRead, Read, Write};

use crate::{
    status::{Status, printable},
    transfer::{File, describe, size},
};

/// Files that are listed by name; of more only how many.
const LISTED: usize = 20;

/// Asks on the terminal; true for yes. Reads in the background, since nobody can be hurried.
pub(super) async fn ask(peer: &str, files: &[File], status: &Status) -> bool {
    let question = question(peer, files);
    let status = status.clone();
    let answer = tokio::task::spawn_blocking(move || {
        // What was told before stands above.
        status.finish();
        // A terminal that cannot be written to or read from says no.
        write!(io::stderr().lock(), "{question}").is_ok() && is_yes(&mut io::stdin().lock())
    });
    answer.await.unwrap_or(false)
}

fn question(peer: &str, files: &[File]) -> String {
    if files.iter().any(File::is_pipe) {
        return format!("{peer} offers what it reads from a pipe. Take it? [Y/n] ");
    }
    let mut text = format!("{peer} offers {}", printable(&describe(files)));
    if files.len() > 1 {
        text.push(':');
        for file in files.iter().take(LISTED) {
            let size = size(file.size.unwrap_or(0));
            text.push_str(&format!("\n  {:<40} {size}", printable(&file.name)));
        }
        if files.len() > LISTED {
            text.push_str(&format!("\n  and {} more", files.len() - LISTED));
        }
        text.push('\n');
    } else {
        text.push_str(". ");
    }
    text + "Take it? [Y/n] "
}

/// A line alone is a yes, the end of the input a no.
fn is_yes(input: &mut impl BufRead) -> bool {
    let mut line = String::new();
    let read = input.by_ref().take(100).read_line(&mut line);
    let answer = line.trim().to_lowercase();
    read.is_ok_and(|count| count > 0) && matches!(&*answer, "" | "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yes_is_yes_and_everything_else_is_no() {
        for yes in ["\n", "y\n", " Yes \n"] {
            assert!(is_yes(&mut yes.as_bytes()), "{yes:?}");
        }
        for no in ["", "n\n", "maybe\n", "yes please\n"] {
            assert!(!is_yes(&mut no.as_bytes()), "{no:?}");
        }
    }

    #[test]
    fn the_question_shows_what_comes_and_cannot_be_forged() {
        let file = |name: &str| File { name: name.into(), size: Some(3), ..File::default() };
        assert_eq!(question("ab", &[file("a.txt")]), "ab offers a.txt (3 B). Take it? [Y/n] ");
        let forged = question("ab", &[file("a\n\u{1b}[2J"), file("b\u{202e}")]);
        assert!(!forged.contains('\u{1b}') && !forged.contains('\u{202e}'), "{forged}");
        let many: Vec<_> = (0..25).map(|number| file(&number.to_string())).collect();
        assert!(question("ab", &many).contains("and 5 more"));
    }
}
