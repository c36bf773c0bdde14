//! A real PostgreSQL on a free loopback port, with a password, and TLS for those who want it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

use super::process::{Process, free_port};

/// How many ports are tried when another process takes the chosen one first.
const ATTEMPTS: usize = 5;

/// The superuser and its password.
const USER: &str = "h5live";
pub const PASSWORD: &str = "sesame-of-the-database";

/// A running PostgreSQL. Dropping it ends it and removes its files.
pub struct Postgres {
    port: u16,
    programs: Programs,
    process: Option<Process>,
    databases: AtomicUsize,
    // After `process`, which writes into it until it has ended.
    directory: TempDir,
}

/// A database of its own in a PostgreSQL that others may use as well.
pub struct Database {
    pub postgres: Arc<Postgres>,
    pub name: String,
}

impl Database {
    /// An empty one, in the PostgreSQL that the tests of this process share while they run.
    pub fn new() -> Database {
        static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let postgres = shared.upgrade().unwrap_or_else(|| {
            let postgres = Arc::new(Postgres::start());
            *shared = Arc::downgrade(&postgres);
            postgres
        });
        let name = postgres.create_database();
        Database { postgres, name }
    }

    /// Its URL, with the password.
    pub fn url(&self) -> String {
        self.postgres.url(&self.name)
    }

    /// What psql prints for a statement, columns by `|`.
    pub fn ask(&self, statement: &str) -> String {
        self.postgres.ask(&self.name, statement)
    }
}

impl Postgres {
    /// Starts one and waits until it takes connections.
    pub fn start() -> Postgres {
        let directory = TempDir::new().expect("a temporary directory can be made");
        let programs = Programs::find();
        programs.own(directory.path());
        let data = directory.path().join("data");
        let password_file = directory.path().join("password");
        fs::write(&password_file, PASSWORD).expect("a file can be written");
        programs.own(&password_file);
        let output = programs
            .command("initdb")
            .args(["--no-sync", "--auth=scram-sha-256", "--encoding=UTF8"])
            .args(["--locale=C", "--username", USER, "--pwfile"])
            .arg(&password_file)
            .arg("-D")
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(output.status.success(), "initdb: {output:?}");
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        for (name, text) in [
            ("server.crt", made.cert.pem()),
            ("server.key", made.signing_key.serialize_pem()),
        ] {
            let path = data.join(name);
            fs::write(&path, text).expect("a file can be written");
            fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
            programs.own(&path);
        }
        let mut failure = String::new();
        for _ in 0..ATTEMPTS {
            let port = free_port();
            match start(&programs, directory.path(), port) {
                Ok(process) => {
                    return Postgres {
                        port,
                        programs,
                        process: Some(process),
                        databases: AtomicUsize::new(0),
                        directory,
                    };
                }
                Err(reason) => failure = reason,
            }
        }
        panic!("no PostgreSQL after {ATTEMPTS} attempts: {failure}");
    }

    /// The URL of a database in it, with the password.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// The same without the password.
    pub fn url_without_password(&self, database: &str) -> String {
        self.url(database).replace(&format!(":{PASSWORD}"), "")
    }

    /// The certificate that it shows; it is its own authority.
    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("data/server.crt")
    }

    /// Makes an empty database; its name.
    pub fn create_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("records{number}");
        self.ask("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// What psql prints for a statement, columns by `|`.
    pub fn ask(&self, database: &str, statement: &str) -> String {
        let output = Command::new(self.programs.path("psql"))
            .env("PGPASSWORD", PASSWORD)
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-U", USER, "-d", database, "-c", statement])
            .output()
            .expect("psql runs");
        assert!(output.status.success(), "{statement}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Ends it at once, as a crash would; its clients' connections are closed.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        // SIGTERM would wait for clients to leave.
        let stopped = self
            .programs
            .command("pg_ctl")
            .args(["stop", "--mode=immediate", "--silent", "-D"])
            .arg(self.directory.path().join("data"))
            .output();
        match stopped {
            Ok(output) if output.status.success() => {
                process.wait_for_exit();
            }
            _ => process.kill(),
        }
    }

    /// Starts it again on the same port.
    pub fn restart(&mut self) {
        self.stop();
        let process = start(&self.programs, self.directory.path(), self.port);
        self.process = Some(process.unwrap_or_else(|reason| panic!("no restart: {reason}")));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start(programs: &Programs, directory: &Path, port: u16) -> Result<Process, String> {
    let log = directory.join("postgres.log");
    let before = fs::metadata(&log).map_or(0, |log| log.len()) as usize;
    let mut command = programs.command("postgres");
    command.arg("-D").arg(directory.join("data"));
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "ssl=on",
        "log_statement=all",
        &format!("port={port}"),
    ] {
        command.args(["-c", setting]);
    }
    let mut process = Process::start("postgres", &mut command, &log);
    process
        .wait(|log| {
            log.get(before..)?
                .contains("ready to accept connections")
                .then_some(())
        })
        .map_err(|reason| format!("postgres {reason}\n{}", process.log()))?;
    Ok(process)
}

/// PostgreSQL's programs, and who runs them: it refuses root.
struct Programs {
    directory: PathBuf,
    /// User and group, where this process is root.
    user: Option<(u32, u32)>,
}

impl Programs {
    fn find() -> Programs {
        // Debian keeps them beside the path, one directory a version.
        let directory = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
            .filter(|directory| directory.join("initdb").exists())
            .max()
            .expect("PostgreSQL is installed; `make setup` installs what the tests need");
        let is_root = fs::metadata("/proc/self").expect("/proc").uid() == 0;
        let id = |what: &str| -> u32 {
            let output = Command::new("id").args([what, "postgres"]).output();
            let text = String::from_utf8(output.expect("id runs").stdout).unwrap();
            text.trim().parse().expect("Debian's package made a user")
        };
        Programs {
            directory,
            user: is_root.then(|| (id("-u"), id("-g"))),
        }
    }

    fn path(&self, program: &str) -> PathBuf {
        self.directory.join(program)
    }

    fn command(&self, program: &str) -> Command {
        let mut command;
        if let Some((user, group)) = self.user {
            command = Command::new("setpriv");
            command
                .arg(format!("--reuid={user}"))
                .arg(format!("--regid={group}"))
                .arg("--clear-groups")
                .arg(self.path(program));
        } else {
            command = Command::new(self.path(program));
        }
        // The directory that this process is in may be closed to that user.
        command.current_dir("/").env("LC_ALL", "C");
        command
    }

    fn own(&self, path: &Path) {
        if let Some((user, group)) = self.user {
            chown(path, Some(user), Some(group)).expect("root can give files away");
        }
    }
}
