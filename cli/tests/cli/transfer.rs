//! `p2pchan send` and `p2pchan recv` between real processes.

use std::{
    fs,
    io::{Read, Write},
    process::Command,
    thread,
    time::{Duration, SystemTime},
};

use crate::{
    ends::{Folders, PHRASE, Wire, address, both_succeed, contents, rest},
    support::{Network, Process, p2pchan, run},
};

const MIB: usize = 1 << 20;

#[test]
fn files_arrive_as_they_are_and_both_sides_say_success() {
    let folders = Folders::new();
    let big = contents(3 * MIB + 7);
    folders.write("big.bin", &big);
    folders.write("nul ☃.txt", b"a\0b\r\n\xff");
    folders.write("empty", b"");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    let file = fs::File::options().write(true).open(folders.here.path().join("big.bin")).unwrap();
    file.set_modified(time).unwrap();
    make_executable(&file);

    let mut sender = folders.send(&["big.bin", "nul ☃.txt", "empty"], &[]);
    let mut receiver = folders.recv(&["--yes", "--seed", &address(&sender)]);
    both_succeed(&mut sender, &mut receiver);
    assert_eq!(folders.arrived(), ["big.bin", "empty", "nul ☃.txt"]);
    assert!(folders.read("big.bin") == big);
    assert_eq!(folders.read("nul ☃.txt"), b"a\0b\r\n\xff");
    assert_eq!(folders.read("empty"), b"");
    let metadata = fs::metadata(folders.there.path().join("big.bin")).unwrap();
    assert_eq!(metadata.modified().unwrap(), time);
    assert_eq!(is_executable(&metadata), cfg!(unix));
    assert!(!is_executable(&fs::metadata(folders.there.path().join("empty")).unwrap()));
}

#[cfg(unix)]
fn make_executable(file: &fs::File) {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn make_executable(_: &fs::File) {}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

#[test]
fn a_pipe_passes_every_byte_and_ends_where_it_ends() {
    let folders = Folders::new();
    let mut sender = folders.send(&["-"], &[]);
    let mut receiver = folders.recv(&["-o", "-", "--seed", &address(&sender)]);
    // More than is kept for what is not confirmed.
    let bytes = contents(9 * MIB + 1);
    let mut stdin = sender.stdin.take().unwrap();
    let saying = {
        let bytes = bytes.clone();
        thread::spawn(move || stdin.write_all(&bytes).unwrap())
    };
    assert!(rest(&mut receiver) == bytes, "bytes are missing, doubled or out of order");
    saying.join().unwrap();
    both_succeed(&mut sender, &mut receiver);
    assert!(folders.arrived().is_empty());
}

#[test]
fn a_pipe_is_live_and_an_empty_one_has_an_end_too() {
    let folders = Folders::new();
    let mut sender = folders.send(&["-"], &[]);
    let mut receiver = folders.recv(&["--yes", "--seed", &address(&sender)]);
    for line in [&b"first"[..], b"second"] {
        sender.say(&[line, b"\n"].concat());
        assert_eq!(receiver.hear(), line);
    }
    sender.hang_up();
    both_succeed(&mut sender, &mut receiver);

    let mut sender = folders.send(&["-"], &[]);
    sender.hang_up();
    let mut receiver = folders.recv(&["-o", "made", "--yes", "--seed", &address(&sender)]);
    both_succeed(&mut sender, &mut receiver);
    assert_eq!(folders.read("made"), b"");
}

#[test]
fn a_killed_receiver_goes_on_where_it_stopped_and_nothing_shows_before_it_is_whole() {
    let folders = Folders::new();
    let big = contents(64 * MIB);
    folders.write("big", &big);
    let mut sender = folders.send(&["big"], &[]);
    let seed = address(&sender);
    // Should this test be slower than the transfer, the system kills the receiver in the middle of it:
    // the limit is 32,768 blocks of 512 or 1024 bytes.
    let limited = "ulimit -c 0; ulimit -f 32768; exec \"$0\" \"$@\"";
    let mut sh = Command::new("sh");
    sh.args(["-c", limited, env!("CARGO_BIN_EXE_p2pchan"), "recv", PHRASE]);
    let mut killed = Process::spawn(folders.recv_command(&mut sh, &["--yes", "--seed", &seed]));
    folders.grown("big.part", 4 << 20);
    killed.signal("KILL");
    assert_eq!(killed.wait().code(), None);
    assert_eq!(folders.arrived(), ["big.part"]);
    let part = folders.grown("big.part", 4 << 20);

    let mut receiver = folders.recv(&["--yes", "--seed", &seed]);
    assert_eq!(receiver.event("receiving")["from"], part);
    sender.event("lost");
    assert_eq!(sender.event("sending")["from"], part);
    both_succeed(&mut sender, &mut receiver);
    assert_eq!(folders.arrived(), ["big"]);
    assert!(folders.read("big") == big);
}

#[test]
fn a_killed_sender_is_gone_on_with_by_the_next_one() {
    let folders = Folders::new();
    let big = contents(24 * MIB);
    folders.write("big", &big);
    let mut receiver = folders.recv(&["-o", "-"]);
    let seed = address(&receiver);
    let sender = folders.send(&["big"], &["--seed", &seed]);
    // Since nobody reads on, the transfer stands still after a few megabytes.
    let mut stdout = receiver.stdout.take().unwrap();
    let mut heard = vec![0; MIB];
    stdout.read_exact(&mut heard).unwrap();
    drop(sender);
    let mut sender = folders.send(&["big"], &["--seed", &seed]);
    stdout.read_to_end(&mut heard).unwrap();
    assert!(heard == big, "bytes are missing, doubled or out of order");
    let from = sender.event("sending")["from"].as_u64().unwrap();
    assert!(from >= 1 << 20, "it began at {from}");
    both_succeed(&mut sender, &mut receiver);
}

#[test]
fn a_pipe_survives_a_broken_connection() {
    let folders = Folders::new();
    let mut sender = folders.send(&["-"], &[]);
    let wire = Wire::to(&address(&sender));
    let mut receiver = folders.recv(&["-o", "-", "--seed", &wire.address]);
    let bytes = contents(24 * MIB);
    let mut stdin = sender.stdin.take().unwrap();
    let saying = {
        let bytes = bytes.clone();
        thread::spawn(move || stdin.write_all(&bytes).unwrap())
    };
    // As nobody reads on, the transfer stands still after a few megabytes, in the middle of it.
    let mut stdout = receiver.stdout.take().unwrap();
    let mut heard = vec![0; 6 * MIB];
    stdout.read_exact(&mut heard).unwrap();
    wire.cut();
    sender.event("lost");
    stdout.read_to_end(&mut heard).unwrap();
    saying.join().unwrap();
    assert!(heard == bytes, "bytes are missing, doubled or out of order");
    assert!(sender.event("sending")["from"].as_u64().unwrap() >= 6 << 20);
    both_succeed(&mut sender, &mut receiver);
}

#[test]
fn what_is_gone_from_a_pipe_is_not_replaced_by_a_gap() {
    let folders = Folders::new();
    let mut sender = folders.send(&["-"], &[]);
    let seed = address(&sender);
    let mut receiver = folders.recv(&["-o", "-", "--seed", &seed]);
    let mut stdin = sender.stdin.take().unwrap();
    // Fails when the sender ends.
    thread::spawn(move || stdin.write_all(&contents(24 * MIB)));
    let mut heard = vec![0; 9 * MIB];
    receiver.stdout.as_mut().unwrap().read_exact(&mut heard).unwrap();
    drop(receiver);
    sender.event("lost");
    let mut late = folders.recv(&["-o", "-", "--seed", &seed]);
    for side in [&late, &sender] {
        let error = side.event("error");
        assert!(error["message"].as_str().unwrap().contains("start both sides again"), "{error}");
    }
    assert!(rest(&mut late).is_empty());
    assert_eq!((late.wait().code(), sender.wait().code()), (Some(1), Some(1)));
}

#[test]
fn a_part_is_gone_on_with_if_it_is_the_beginning_and_begun_anew_if_not() {
    let big = contents(MIB);
    for (part, from) in
        [(&big[..300_000], 300_000), (&big[1..300_000], 0), (&[big.as_slice(), b"x"].concat(), 0)]
    {
        let folders = Folders::new();
        folders.write("big", &big);
        fs::write(folders.there.path().join("big.part"), part).unwrap();
        let mut sender = folders.send(&["big"], &[]);
        let mut receiver = folders.recv(&["--yes", "--seed", &address(&sender)]);
        if from == 0 {
            assert_eq!(sender.event("anew")["file"], "big");
            assert_eq!(receiver.event("anew")["file"], "big");
        }
        assert_eq!(receiver.event("receiving")["from"], from);
        both_succeed(&mut sender, &mut receiver);
        assert!(folders.read("big") == big);
        assert_eq!(folders.arrived(), ["big"]);
    }
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_offered_anew() {
    let folders = Folders::new();
    let big = contents(16 * MIB);
    folders.write("log", &big);
    let mut sender = folders.send(&["log"], &[]);
    let mut receiver = folders.recv(&["-o", "-", "--seed", &address(&sender)]);
    let mut stdout = receiver.stdout.take().unwrap();
    let mut heard = vec![0; MIB];
    stdout.read_exact(&mut heard).unwrap();
    // It has not been read to its end, since nobody reads on here.
    let mut log = fs::File::options().append(true).open(folders.here.path().join("log")).unwrap();
    log.write_all(b"one line more").unwrap();
    stdout.read_to_end(&mut heard).unwrap();
    assert!(heard == [&big[..], b"one line more"].concat());
    assert_eq!(sender.event("anew")["file"], "log");
    both_succeed(&mut sender, &mut receiver);
}

#[test]
fn a_file_that_is_here_is_kept_and_another_of_its_name_gets_a_number() {
    let folders = Folders::new();
    folders.write("a.txt", b"from the sender");
    let transfer = |more: &[&str]| {
        let mut sender = folders.send(&["a.txt"], &[]);
        let seed = address(&sender);
        let mut receiver = folders.recv(&[&["--yes", "--seed", &seed], more].concat());
        both_succeed(&mut sender, &mut receiver);
    };
    fs::write(folders.there.path().join("a.txt"), "was here").unwrap();
    transfer(&[]);
    assert_eq!(folders.arrived(), ["a (1).txt", "a.txt"]);
    assert_eq!(folders.read("a.txt"), b"was here");
    assert_eq!(folders.read("a (1).txt"), b"from the sender");
    // The same once more: it is found, and nothing moves.
    transfer(&[]);
    assert_eq!(folders.arrived(), ["a (1).txt", "a.txt"]);
    transfer(&["--overwrite"]);
    assert_eq!(folders.read("a.txt"), b"from the sender");
    // Of the same size and time, but another one.
    let there = folders.there.path().join("a.txt");
    let time = fs::metadata(&there).unwrap().modified().unwrap();
    fs::write(&there, "from the SENDER").unwrap();
    fs::File::options().write(true).open(&there).unwrap().set_modified(time).unwrap();
    fs::remove_file(folders.there.path().join("a (1).txt")).unwrap();
    transfer(&[]);
    assert_eq!(folders.read("a.txt"), b"from the SENDER");
    assert_eq!(folders.read("a (1).txt"), b"from the sender");
}

#[test]
fn output_goes_where_it_is_told() {
    let folders = Folders::new();
    folders.write("a.txt", b"contents");
    fs::create_dir(folders.there.path().join("into")).unwrap();
    for (output, path) in [("into", "into/a.txt"), ("named", "named"), ("into/b", "into/b")] {
        let mut sender = folders.send(&["a.txt"], &[]);
        let mut receiver = folders.recv(&["--yes", "-o", output, "--seed", &address(&sender)]);
        both_succeed(&mut sender, &mut receiver);
        assert_eq!(folders.read(path), b"contents");
    }
    let mut sender = folders.send(&["a.txt"], &[]);
    let mut receiver = folders.recv(&["-o", "-", "--seed", &address(&sender)]);
    assert_eq!(rest(&mut receiver), b"contents");
    both_succeed(&mut sender, &mut receiver);
}

/// Both ends fail, and both say why, with these words.
fn both_fail(sender: &mut Process, receiver: &mut Process, why: &str) {
    for side in [receiver, sender] {
        let error = side.event("error");
        assert!(error["message"].as_str().unwrap().contains(why), "{error}");
        assert_eq!(side.wait().code(), Some(1));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_on_both_sides_and_what_is_there_stays() {
    let folders = Folders::new();
    folders.write("big", &contents(4 * MIB));
    let mut sender = folders.send(&["big"], &[]);
    let mut receiver = folders.recv(&["-o", "/dev/full", "--seed", &address(&sender)]);
    both_fail(&mut sender, &mut receiver, "cannot write /dev/full: No space left");

    // As near as a test comes to a full disk: no file may be larger than 1 or 2 MiB.
    let mut sender = folders.send(&["big"], &[]);
    let seed = address(&sender);
    let limited = "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\"";
    let mut sh = Command::new("sh");
    sh.args(["-c", limited, env!("CARGO_BIN_EXE_p2pchan"), "recv", PHRASE]);
    let mut receiver = Process::spawn(folders.recv_command(&mut sh, &["--yes", "--seed", &seed]));
    both_fail(&mut sender, &mut receiver, "cannot write big.part: ");
    assert_eq!(folders.arrived(), ["big.part"]);
    assert!(folders.read("big.part").len() >= MIB);
}

#[test]
fn more_than_the_receiver_takes_is_refused_by_both() {
    let folders = Folders::new();
    folders.write("a", &contents(2000));
    let mut sender = folders.send(&["a"], &[]);
    let options = ["--yes", "--max-size", "1KiB", "--seed"];
    let mut receiver = folders.recv(&[&options[..], &[&address(&sender)]].concat());
    both_fail(&mut sender, &mut receiver, "--max-size is 1.00 KiB");

    let mut sender = folders.send(&["-"], &[]);
    sender.say(&contents(2000));
    let mut receiver = folders.recv(&[&options[..], &[&address(&sender)]].concat());
    both_fail(&mut sender, &mut receiver, "--max-size 1.00 KiB");

    folders.write("b", b"");
    let mut sender = folders.send(&["a", "b"], &[]);
    let mut receiver = folders.recv(&["-o", "-", "--seed", &address(&sender)]);
    both_fail(&mut sender, &mut receiver, "name a folder that exists");
    assert!(folders.arrived().is_empty());
}

#[test]
fn two_of_a_kind_tell_each_other_and_wait_for_the_other_kind() {
    let folders = Folders::new();
    folders.write("a", b"contents");
    let mut first = folders.send(&["a"], &[]);
    let seed = address(&first);
    let mut second = folders.send(&["a"], &["--seed", &seed]);
    for sender in [&first, &second] {
        let told = sender.event("of_no_use");
        assert!(told["message"].as_str().unwrap().contains("is `p2pchan send` too"), "{told}");
    }
    let mut receiver = folders.recv(&["--yes", "--seed", &seed]);
    both_succeed(&mut first, &mut receiver);
    second.signal("INT");
    assert_eq!(second.wait().code(), Some(130));

    let mut first = folders.recv(&["--yes"]);
    let mut second = folders.recv(&["--yes", "--seed", &address(&first)]);
    for receiver in [&mut first, &mut second] {
        let told = receiver.event("of_no_use");
        assert!(told["message"].as_str().unwrap().contains("is `p2pchan recv` too"), "{told}");
        receiver.signal("TERM");
        assert_eq!(receiver.wait().code(), Some(143));
    }
}

#[test]
fn who_joins_instead_is_told_what_this_is_and_the_transfer_waits_for_another() {
    let folders = Folders::new();
    folders.write("a", b"contents");
    let mut sender = folders.send(&["a"], &[]);
    let seed = address(&sender);
    let options = ["join", PHRASE, "--listen", "127.0.0.1:0", "--seed", &seed];
    let mut joined = Process::start(&options);
    let greeting = joined.hear_text();
    assert!(
        greeting.contains("This is `p2pchan send`, and understands nothing but `p2pchan recv`")
    );
    joined.say(b"hello?\n");
    let answer = joined.hear_text();
    assert!(answer.contains("this is `p2pchan send`, and understands nothing else"), "{answer}");
    let told = sender.event("of_no_use");
    assert!(told["message"].as_str().unwrap().contains("perhaps it is `p2pchan join`"), "{told}");
    let mut receiver = folders.recv(&["--yes", "--seed", &seed]);
    both_succeed(&mut sender, &mut receiver);
}

#[test]
fn several_receivers_are_served_at_once_and_one_too_many_is_told() {
    let folders = Folders::new();
    let big = contents(16 * MIB);
    folders.write("big", &big);
    let mut sender = folders.send(&["big"], &["--to", "2"]);
    let seed = address(&sender);
    // Both have begun before anybody reads on, so both are served at the same time.
    let mut receivers = [(); 2].map(|()| {
        let mut receiver = folders.recv(&["-o", "-", "--seed", &seed]);
        let mut first = vec![0; MIB];
        receiver.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
        receiver
    });
    let mut late = folders.recv(&["-o", "-", "--seed", &seed]);
    sender.event("waiting");
    for receiver in &mut receivers {
        assert!(rest(receiver) == big[MIB..]);
        assert_eq!(receiver.wait().code(), Some(0));
    }
    let error = late.event("error");
    assert!(
        error["message"].as_str().unwrap().contains("for whom the files were meant"),
        "{error}"
    );
    assert_eq!((late.wait().code(), sender.wait().code()), (Some(1), Some(0)));
}

#[test]
fn the_line_that_a_sender_prints_takes_the_file() {
    let network = Network::start();
    let folders = Folders::new();
    folders.write("a", b"contents");
    let options = ["send", "a", "--bootstrap", &network.bootstrap, "--listen", "127.0.0.1:0"];
    let mut sender = Process::spawn(p2pchan(&options).current_dir(folders.here.path()));
    let line = sender.hear_text();
    let words: Vec<_> = line.split(' ').collect();
    assert_eq!(words[..2], ["p2pchan", "recv"]);
    let more = ["--yes", "--listen", "127.0.0.1:0"];
    let mut receiver =
        Process::spawn(p2pchan(&[&words[1..], &more].concat()).current_dir(folders.there.path()));
    both_succeed(&mut sender, &mut receiver);
    assert_eq!(folders.read("a"), b"contents");
    let told: Vec<_> = receiver.told_so_far();
    assert!(told.iter().any(|line| line.contains("everything is here: 8 B in ")), "{told:#?}");
    assert!(!told.iter().any(|line| line.contains(words[2])), "the phrase is told: {told:#?}");
}

#[test]
fn who_has_another_phrase_is_not_found_within_the_timeout() {
    let folders = Folders::new();
    folders.write("a", b"contents");
    let sender = folders.send(&["a"], &[]);
    let options = ["recv", "another phrase", "-y", "--listen", "127.0.0.1:0", "--timeout", "1"];
    let ended = run(&[&options[..], &["--seed", &address(&sender)]].concat());
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("no sender was connected for 1 s"), "{}", ended.stderr);
    let file = folders.here.path().join("a");
    let options = ["send", file.to_str().unwrap(), PHRASE, "--listen", "127.0.0.1:0", "-q"];
    let ended = run(&[&options[..], &["--timeout", "1"]].concat());
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

#[test]
fn what_cannot_be_done_is_told_before_anything_is_opened() {
    let folders = Folders::new();
    folders.write("a", b"contents");
    let path = |name: &str| folders.here.path().join(name).to_str().unwrap().to_owned();
    let (file, folder, missing) = (path("a"), path(""), path("missing"));
    for (arguments, code, why) in [
        (&["send", &missing, PHRASE][..], 1, "cannot read "),
        (&["send", &missing], 1, "cannot read "),
        (&["send", &folder, PHRASE], 1, "is a folder; send an archive"),
        (&["send", &file, &file], 2, "--new-phrase"),
        (&["send", "-", &file, PHRASE], 2, "alone"),
        (&["send", "-", PHRASE, "--to", "2"], 2, "--to 1"),
        (&["send"], 2, "FILE"),
        (&["recv", PHRASE], 2, "--yes"),
        (&["recv", PHRASE, "-y", "-o", "missing/a"], 1, "missing/a"),
        (&["recv", PHRASE, "-y", "--max-size", "much"], 2, "500MiB"),
        (&["recv"], 2, "PHRASE"),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(why), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stdout.is_empty() && !ended.stderr.contains("waiting"), "{}", ended.stderr);
    }
}
