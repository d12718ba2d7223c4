//! p2pchan through its C interface: a program in C plays both ends, linked with the shared library that
//! programs in C get.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{
    Outcome,
    arguments::{Role, System, spelt},
    endpoint::become_program,
};

/// The compiled program, in a folder that goes with it.
pub(crate) struct Program {
    folder: TempDir,
}

impl Program {
    pub(crate) fn compile(library: &Path) -> Outcome<Self> {
        let failed = |error| format!("the library {}: {error}", library.display());
        let library = library.canonicalize().map_err(failed)?;
        let beside = library.parent().ok_or("a library lies in a folder")?;
        let (program, here) =
            (Self { folder: tempfile::tempdir()? }, Path::new(env!("CARGO_MANIFEST_DIR")));
        let mut command = Command::new("cc");
        command.args(["-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-pthread"]);
        command.arg("-I").arg(here.join("../../include")).arg(here.join("c/flood.c"));
        command.arg(&library).arg(format!("-Wl,-rpath,{}", beside.display()));
        let status = command.arg("-o").arg(program.path()).status();
        let status = status.map_err(|error| format!("cc: {error}"))?;
        if status.success() { Ok(program) } else { Err(format!("cc: {status}").into()) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("flood")
    }
}

/// Becomes the program in C, which stays on the core of this process.
pub(crate) fn play(role: &Role) -> Outcome<()> {
    let way = match role.system {
        System::CData => "data",
        System::CDispatch => "dispatch",
        _ => "batch",
    };
    let mut command = Command::new(role.c_program.as_ref().ok_or("there is no program in C")?);
    command.args([&spelt(&role.end), way]);
    become_program(command, role)
}
