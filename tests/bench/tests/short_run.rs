//! The benchmark itself works: every kind of run, short, in two processes each.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env::{
        self,
        consts::{DLL_PREFIX, DLL_SUFFIX},
    },
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

/// Where a program finds no network but loopback.
const ISOLATED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rivals/isolated");

/// Runs the benchmark with these arguments and returns its JSON.
fn bench(arguments: &str) -> Value {
    short_run(Command::new(env!("CARGO_BIN_EXE_p2pchan-bench")), arguments)
}

fn short_run(mut program: Command, arguments: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("new folder").join("bench.json");
    let status = program
        .args(["--quick", "--rounds", "1", "--milliseconds", "50"])
        .args(arguments.split(' '))
        .arg("--output")
        .arg(&output)
        .status()
        .unwrap();
    assert!(status.success(), "{arguments}: {status}");
    serde_json::from_str(&fs::read_to_string(output).unwrap()).unwrap()
}

/// Runs the benchmark with these arguments and returns its exit code and what it printed.
fn printed(arguments: &[&str], folder: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_p2pchan-bench"))
        .args(["--quick", "--rounds", "1", "--milliseconds", "50", "--output"])
        .arg(folder.join("every round.json"))
        .args(arguments)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn what_is_recorded_has_a_table_and_a_picture_and_the_rest_of_the_folder_stays() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records");
    let record = |work| {
        let arguments = ["--only", work, "--record", records.to_str().unwrap()];
        assert_eq!(printed(&arguments, folder.path()).0, Some(0));
    };
    record("memory");
    record("discover");
    let read = |name: &str| fs::read_to_string(records.join(name)).unwrap();
    let kept: Value = serde_json::from_str(&read("memory.json")).unwrap();
    assert_eq!(kept["blocks"][0]["ours"], "p2pchan");
    assert!(kept["versions"]["Rust"].as_str().unwrap().starts_with("1."));
    let page = read("README.md");
    assert!(page.contains("## memory") && page.contains("(memory.svg)") && page.contains("| ms |"));
    let picture = read("memory.svg");
    assert!(picture.starts_with("<svg") && picture.matches("<circle").count() == 4, "{picture}");
    assert!(!records.join("discover.svg").exists());
}

#[test]
fn a_ratio_that_is_worse_than_recorded_fails_the_check_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records");
    let text = records.to_str().unwrap();
    assert_eq!(printed(&["--only", "memory", "--record", text], folder.path()).0, Some(0));
    let path = records.join("memory.json");
    let mut record: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let check = || printed(&["--only", "memory", "--check", text], folder.path());
    // Far beyond anything that it can be now.
    for (factor, code, word) in [(100.0, Some(0), "BETTER"), (0.0001, Some(1), "WORSE")] {
        for row in record["blocks"][0]["rows"].as_array_mut().unwrap() {
            for ratio in row["ratios"].as_array_mut().unwrap() {
                for name in ["least", "median", "most"] {
                    ratio[name] = (ratio[name].as_f64().unwrap() * factor).into();
                }
            }
        }
        fs::write(&path, record.to_string()).unwrap();
        let (ended, told) = check();
        assert_eq!(ended, code, "{told}");
        assert!(told.contains(&format!("{word}: memory of 128 idle connections")), "{told}");
    }
    fs::write(&path, "{}").unwrap();
    assert_eq!(check().0, Some(1));
}

/// The first figure of the first round of p2pchan in each case.
fn figures(report: &Value, name: &str) -> Vec<f64> {
    let cases = report["results"].as_array().unwrap();
    let of = |case: &Value| case["rounds"][0]["beside"][0][name].as_f64().unwrap();
    cases.iter().map(of).collect()
}

#[test]
fn a_flood_arrives_and_is_reported() {
    for size in ["64", "1000000"] {
        let report = bench(&format!("--only flood --face rust --size {size}"));
        assert!(figures(&report, "messages").iter().all(|rate| *rate > 0.0));
        assert_eq!(report["results"][0]["case"]["beside"][0], "p2pchan");
    }
}

#[test]
fn round_trips_come_back_and_are_reported() {
    let report = bench("--only round-trip --face rust");
    let (median, most) = (figures(&report, "median"), figures(&report, "ninety-ninth"));
    assert!(median[0] > 0.0 && median[0] <= most[0]);
}

#[test]
fn connections_and_their_memory_are_reported() {
    assert_eq!(figures(&bench("--only connect"), "connections").len(), 2);
    assert!(figures(&bench("--only memory"), "ready-memory")[0] > 0.0);
}

#[test]
fn quic_is_put_beside_its_bare_engine() {
    let report = bench("--only quic-flood --size 1024");
    assert!(figures(&report, "messages")[0] > 0.0);
    assert_eq!(report["results"][0]["case"]["reference"], "quinn");
    assert!(figures(&bench("--only quic-round-trip"), "median")[0] > 0.0);
}

#[test]
fn a_flood_in_c_arrives_and_is_put_beside_rust() {
    let libraries = env::current_exe().unwrap().parent().unwrap().to_owned();
    let library = libraries.join(format!("{DLL_PREFIX}p2pchan_ffi{DLL_SUFFIX}"));
    let report = bench(&format!("--only c-flood --c-library {}", library.display()));
    let rates = figures(&report, "messages");
    assert!(rates.len() == 3 && rates.iter().all(|rate| *rate > 0.0), "{rates:?}");
    assert_eq!(report["results"][0]["case"]["reference"], "p2pchan");
}

/// A Python with p2pchan, of those that `make bench` and `make python` make.
fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_BIN_EXE_p2pchan-bench")).ancestors().nth(2)?.join("python");
    let all = ["bench", "tools", "3.11", "3.12", "3.13", "3.14"];
    let all = all.map(|name| target.join(name).join("bin/python"));
    all.into_iter().find(|python| {
        let import = Command::new(python).args(["-c", "import p2pchan"]).output();
        import.is_ok_and(|output| output.status.success())
    })
}

#[test]
fn floods_and_round_trips_in_python_arrive_and_are_put_beside_others() {
    let Some(python) = python() else {
        eprintln!("SKIPPED: there is no Python with p2pchan; `make python` makes some");
        return;
    };
    for (arguments, cases, figure) in [
        ("--only python-flood --size 64", 3, "messages"),
        ("--only python-flood --size 70000", 1, "messages"),
        ("--only python-round-trip", 2, "median"),
    ] {
        let report = bench(&format!("{arguments} --python {}", python.display()));
        let found = figures(&report, figure);
        assert!(found.len() == cases && found.iter().all(|found| *found > 0.0), "{found:?}");
        assert!(report["results"][0]["case"]["beside"].as_array().unwrap().len() > 1);
    }
}

/// Whether a folder or an interpreter of rivals is there, and a namespace can be made.
fn can_meet(rivals: &Path) -> bool {
    let isolated = Command::new(ISOLATED).arg("true").output();
    isolated.is_ok_and(|output| output.status.success()) && rivals.exists()
}

/// Runs what is measured beside these rivals with one size of flood, where nobody else can be asked.
fn beside_rivals(arguments: &[&OsStr]) -> Value {
    let mut program = Command::new(ISOLATED);
    program.arg(env!("CARGO_BIN_EXE_p2pchan-bench")).args(arguments);
    short_run(program, "--only rivals --size 1024")
}

/// What stands below the folder of builds.
fn built(path: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_p2pchan-bench")).ancestors().nth(2).unwrap().join(path)
}

/// All figures of these systems in a report are there and more than nothing.
fn check_figures(report: &Value, systems: &[&str]) {
    for system in systems {
        let mut found = 0;
        for result in report["results"].as_array().unwrap() {
            let beside = result["case"]["beside"].as_array().unwrap();
            let Some(place) = beside.iter().position(|name| name == system) else { continue };
            let figures = result["rounds"][0]["beside"][place].as_object().unwrap();
            assert!(figures.values().all(|figure| figure.as_f64().unwrap() > 0.0), "{figures:?}");
            found += 1;
        }
        assert!(found > 0, "{system} was not measured");
    }
}

#[test]
fn node_is_put_beside_rivals_in_javascript() {
    let rivals = built("node/rivals/node_modules");
    let Some(packages) = packages().filter(|_| can_meet(&rivals)) else {
        eprintln!(
            "SKIPPED: no namespace, or no packages for Node: tests/bench/rivals/node/environment makes some"
        );
        return;
    };
    let arguments =
        ["--node".as_ref(), packages.as_os_str(), "--rivals-node".as_ref(), rivals.as_os_str()];
    let report = beside_rivals(&arguments);
    check_figures(&report, &["node", "hyperdht", "protomux", "iroh-node"]);
}

#[test]
fn python_is_put_beside_a_rival_in_python() {
    let rivals = built("python/rivals/bin/python");
    let Some(python) = python().filter(|_| can_meet(&rivals)) else {
        eprintln!(
            "SKIPPED: no namespace, or no Python: tests/bench/rivals/python/environment makes one"
        );
        return;
    };
    let arguments =
        ["--python".as_ref(), python.as_os_str(), "--rivals-python".as_ref(), rivals.as_os_str()];
    let report = beside_rivals(&arguments);
    check_figures(&report, &["python-async", "iroh-python"]);
}

/// What is said when rivals are asked for that are not there.
fn refusal(mut program: Command, packages: &Path) -> String {
    program.args(["--only", "rivals", "--rivals-node", "/nowhere", "--node"]).arg(packages);
    let output = program.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn rivals_are_refused_where_they_could_ask_others_and_where_packages_are_missing() {
    let bench = env!("CARGO_BIN_EXE_p2pchan-bench");
    let Some(packages) = packages().filter(|packages| can_meet(packages)) else {
        eprintln!("SKIPPED: there are no packages for Node, or no namespace");
        return;
    };
    let mut isolated = Command::new(ISOLATED);
    isolated.arg(bench);
    assert!(refusal(isolated, &packages).contains("/nowhere lacks"));
    let routes = fs::read_to_string("/proc/self/net/route").unwrap();
    if routes.lines().count() < 2 {
        eprintln!("SKIPPED: there is no network here that could be asked");
        return;
    }
    assert!(refusal(Command::new(bench), &packages).contains("rivals/isolated"));
}

#[test]
fn a_python_without_the_package_is_refused_by_name() {
    let output = Command::new(env!("CARGO_BIN_EXE_p2pchan-bench"))
        .args(["--only", "python-flood", "--python", "/bin/false"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/bin/false lacks"));
}

/// The packages that `make bench` makes.
fn packages() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_BIN_EXE_p2pchan-bench")).ancestors().nth(2)?;
    Some(target.join("node/bench/node_modules")).filter(|packages| packages.join("ws").exists())
}

#[test]
fn floods_and_round_trips_in_node_arrive_and_are_put_beside_others() {
    let Some(packages) = packages() else {
        eprintln!(
            "SKIPPED: there are no packages for Node; tests/bench/node/environment makes them"
        );
        return;
    };
    for (arguments, figure) in [
        ("--only node-flood --size 64", "messages"),
        ("--only node-flood --size 70000", "messages"),
        ("--only node-round-trip", "median"),
    ] {
        let report = bench(&format!("{arguments} --node {}", packages.display()));
        let found = figures(&report, figure);
        assert!(found.len() == 1 && found[0] > 0.0, "{found:?}");
        assert!(report["results"][0]["case"]["beside"].as_array().unwrap().len() > 2);
    }
}

#[test]
fn a_folder_without_the_packages_for_node_is_refused_by_name() {
    let output = Command::new(env!("CARGO_BIN_EXE_p2pchan-bench"))
        .args(["--only", "node-flood", "--node", "/nowhere"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("/nowhere lacks") || told.contains("node: "), "{told}");
}

/// The program that `make bench-rivals` builds.
fn rivals() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_BIN_EXE_p2pchan-bench")).ancestors().nth(2)?;
    Some(target.join("rivals/release/p2pchan-rivals")).filter(|program| program.exists())
}

#[test]
fn what_others_do_in_rust_and_c_arrives_and_is_put_beside() {
    let Some(rivals) = rivals() else {
        eprintln!("SKIPPED: there is no p2pchan-rivals; tests/bench/rivals/build builds it");
        return;
    };
    let known = Command::new(&rivals).arg("systems").output().unwrap().stdout;
    let known: BTreeMap<String, String> = serde_json::from_slice(&known).unwrap();
    let report = bench(&format!("--only rivals --size 1000 --rivals {}", rivals.display()));
    let mut beside = BTreeSet::new();
    for case in report["results"].as_array().unwrap() {
        let systems = case["case"]["beside"].as_array().unwrap();
        let figures = case["rounds"][0]["beside"].as_array().unwrap();
        assert!(systems.len() > 1 && systems.len() == figures.len(), "{case}");
        for (system, figures) in systems.iter().zip(figures) {
            let most = figures.as_object().unwrap().values().filter_map(Value::as_f64);
            assert!(most.fold(0.0, f64::max) > 0.0, "{system}: {figures}");
            beside.insert(system.as_str().unwrap().to_owned());
        }
    }
    for system in known.keys() {
        assert!(beside.contains(system), "{system} was not measured: {beside:?}");
    }
    assert!(beside.contains("rustls"));
}

#[test]
fn what_is_no_program_of_rivals_is_refused_by_name() {
    for program in ["/nowhere", "/bin/false"] {
        let output = Command::new(env!("CARGO_BIN_EXE_p2pchan-bench"))
            .args(["--only", "rivals", "--rivals", program])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(&format!("{program} is no p2pchan-rivals")), "{told}");
    }
}

#[test]
fn tls_by_rustls_alone_floods_and_comes_back() {
    for work in ["flood", "round-trip"] {
        let figures = endpoints("rustls", work);
        let figure = if work == "flood" { "messages" } else { "median" };
        assert!(figures[figure].as_f64().unwrap() > 0.0, "{figures}");
    }
}

/// What the dialling end of a short run of this system says.
fn endpoints(system: &str, work: &str) -> Value {
    let start = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_p2pchan-bench"))
            .args(["endpoint", "--system", system, "--work", work, "--milliseconds", "50"])
            .args(["--size", "70000"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut accepting = start(&["--end", "accept"]);
    let mut address = String::new();
    BufReader::new(accepting.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let address: String = serde_json::from_str(&address).unwrap();
    let dialling = start(&["--end", "dial", "--address", &address]).wait_with_output().unwrap();
    assert!(dialling.status.success() && accepting.wait().unwrap().success());
    serde_json::from_slice(&dialling.stdout).unwrap()
}

#[test]
fn what_many_remotes_get_is_reported_beside_one_or_beside_all_alike() {
    for (work, figure, ours) in [
        ("many", "messages", "p2pchan-many"),
        ("greedy", "most-share", "p2pchan-greedy"),
        ("stalled", "messages", "p2pchan-stalled"),
    ] {
        let report = bench(&format!("--only {work}"));
        assert!(figures(&report, figure)[0] > 0.0, "{work}");
        assert_eq!(report["results"][0]["case"]["beside"][0], ours);
        assert_eq!(report["results"][0]["case"]["reference"], "p2pchan");
    }
}

#[test]
fn small_messages_arrive_beside_and_behind_long_ones_and_how_late_is_reported() {
    let report = bench("--only latency");
    for result in report["results"].as_array().unwrap() {
        let round = &result["rounds"][0];
        assert_eq!(round["before"]["megabytes"], 0.0);
        let [beside, behind] = &round["beside"].as_array().unwrap()[..] else { panic!("{round}") };
        assert!(behind["megabytes"].as_f64().unwrap() > 0.0, "{behind}");
        for system in [beside, behind] {
            let time = |name: &str| system[name].as_f64().unwrap();
            assert!(0.0 < time("median") && time("median") <= time("ninety-ninth"));
            assert!(time("ninety-ninth") <= time("longest"), "{system}");
        }
    }
}

#[test]
fn what_stands_alone_is_reported() {
    let discover = bench("--only discover")["alone"]["discover"].as_array().unwrap().len();
    assert_eq!(discover, 5);
    let idle = &bench("--only idle")["alone"]["idle"];
    assert!(idle["memory"].as_u64().unwrap() > 0 && idle["processor"].as_f64().unwrap() > 0.0);
}

#[test]
fn what_would_be_measured_is_told_by_its_faces_and_a_choice_of_nothing_is_refused() {
    let faces = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_p2pchan-bench"));
        command.args(arguments).arg("--faces").output().unwrap()
    };
    assert_eq!(faces(&["--only", "memory"]).stdout, b"rust\n");
    let refused = faces(&["--only", "memory", "--face", "c"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("leave out --face or --only"));
}

#[test]
fn a_size_out_of_range_is_refused_with_the_range() {
    let output = Command::new(env!("CARGO_BIN_EXE_p2pchan-bench"))
        .args(["--only", "flood", "--size", "63"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("64..="));
}

#[test]
fn an_end_whose_other_end_is_not_there_fails_instead_of_reporting() {
    let output = Command::new(env!("CARGO_BIN_EXE_p2pchan-bench"))
        .args(["endpoint", "--work", "flood", "--system", "raw", "--end", "dial"])
        .args(["--address", "127.0.0.1:1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
}
