//! Runs the binary in a folder of its own and without the user's settings.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A folder for one test, and the command line in it.
#[derive(Debug)]
pub struct Tool {
    pub folder: PathBuf,
}

impl Tool {
    /// An empty folder called `test`.
    pub fn new(test: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cli").join(test);
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("the folder of an earlier run can be removed");
        }
        fs::create_dir_all(&folder).expect("the target directory can be written");
        Self { folder }
    }

    /// The binary with these arguments, separated by blanks, to be run there.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_overlab"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("OVERLAB_") {
                command.env_remove(name);
            }
        }
        command.env_remove("NO_COLOR").env_remove("COLUMNS").current_dir(&self.folder);
        command.args(arguments.split_whitespace());
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &str) -> Ran {
        ran(&self.command(arguments).output().expect("the binary can be started"))
    }

    /// Writes a file there.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).expect("the folder can be written");
    }
}

/// What a finished process left behind. None may ever have panicked.
pub fn ran(output: &Output) -> Ran {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
    let ran = Ran {
        code: output.status.code().expect("the process ended by itself"),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    };
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    ran
}
