//! Programs that a test starts: checked for, watched, and ended with it.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything in these tests may take. Nothing is measured here: the
/// limit only keeps a test that is stuck from lasting for ever.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A running program whose output is kept; ended when it is dropped.
pub struct Process {
    name: String,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts `command`. `install` is the command that installs the program.
    ///
    /// # Panics
    ///
    /// When the program is not there.
    pub fn start(mut command: Command, install: &str) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot start {name}: {error}; to install it: {install}")
        });
        let lines = Arc::new(Mutex::new(Vec::new()));
        keep(child.stdout.take().expect("piped"), &lines);
        keep(child.stderr.take().expect("piped"), &lines);
        Self { name, child, lines }
    }

    /// All that it printed so far, for messages of failure.
    pub fn output(&self) -> String {
        let lines = self.lines.lock().expect("no reader panics");
        format!("{} printed:\n{}", self.name, lines.join("\n"))
    }

    /// Waits for a line of JSON that `wanted` accepts, and gives what it makes
    /// of it.
    pub fn line<T>(&mut self, what: &str, wanted: impl Fn(&Value) -> Option<T>) -> T {
        let mut read = 0;
        let began = Instant::now();
        loop {
            let fresh = self.lines.lock().expect("no reader panics")[read..].to_vec();
            read += fresh.len();
            let mut values = fresh.iter().filter_map(|line| serde_json::from_str(line).ok());
            if let Some(found) = values.find_map(|value: Value| wanted(&value)) {
                return found;
            }
            if self.has_ended() || began.elapsed() > PATIENCE {
                // What it printed last may not have been read yet.
                thread::sleep(Duration::from_millis(100));
                let all = self.lines.lock().expect("no reader panics")[read..].to_vec();
                let mut values = all.iter().filter_map(|line| serde_json::from_str(line).ok());
                return values
                    .find_map(|value: Value| wanted(&value))
                    .unwrap_or_else(|| panic!("{what} never came; {}", self.output()));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// All lines of JSON so far.
    pub fn values(&self) -> Vec<Value> {
        let lines = self.lines.lock().expect("no reader panics");
        lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_some()
    }

    /// Waits until it ends by itself, and gives its exit code.
    pub fn code(&mut self) -> i32 {
        let lines = Arc::clone(&self.lines);
        let report = || lines.lock().expect("no reader panics").join("\n");
        wait_for(&format!("the end of {}", self.name), || self.has_ended(), report);
        let status = self.child.wait().expect("a child can be waited for");
        status.code().unwrap_or(-1)
    }

    /// Ends it at once, as a power cut would (SIGKILL).
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal, such as `HUP`; whether that worked.
    pub fn signal(&self, name: &str) -> bool {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        sent.is_ok_and(|status| status.success())
    }

    /// Asks it to end (SIGINT) and gives its exit code.
    pub fn interrupt(&mut self) -> i32 {
        assert!(self.signal("INT"), "cannot interrupt {}", self.name);
        self.code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn keep(pipe: impl std::io::Read + Send + 'static, lines: &Arc<Mutex<Vec<String>>>) {
    let lines = Arc::clone(lines);
    thread::spawn(move || {
        // Progress is drawn with carriage returns; bytes need not be UTF-8.
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            lines.lock().expect("no reader panics").push(line);
        }
    });
}

/// Waits until `holds`.
///
/// # Panics
///
/// After [`PATIENCE`], with what `report` says.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool, report: impl FnOnce() -> String) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}; {}", report());
        thread::sleep(Duration::from_millis(20));
    }
}

/// A port that is free for TCP and UDP on the loopback address at this moment.
pub fn free_port() -> u16 {
    for _ in 0..100 {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = tcp.local_addr().expect("bound").port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free for both TCP and UDP");
}
