//! Processes, and what is done to them.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use durable_jobs::tx;
use tokio::time::sleep;

use super::{
    evidence::{Absence, now},
    worker::{ORDERS, Orders, SHORT_LEASE},
};
use crate::support::{Bench, until};

/// A process under orders; killed when dropped.
pub struct Process {
    child: Child,
    orders: Orders,
}

impl Process {
    pub fn start(orders: &Orders) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["crashes::worker::process_under_orders", "--exact", "--ignored", "--test-threads=1"])
            .env(ORDERS, serde_json::to_string(orders).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self { child: child.unwrap(), orders: orders.clone() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// SIGKILL.
    pub fn kill(mut self) -> Absence {
        let from = now();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.gone(from)
    }

    /// SIGTERM: it finishes what it can and gives the rest back.
    pub fn ask_to_stop(&self) -> Absence {
        let from = now();
        self.signal("-TERM");
        self.gone(from)
    }

    /// SIGSTOP. On `SQLite` not while it holds the write lock, which would stop everybody: then it goes on at once and
    /// the answer is `None`.
    pub async fn freeze(&self, bench: &Bench) -> Option<Absence> {
        let from = now();
        self.signal("-STOP");
        if !bench.is_postgres() && tokio::time::timeout(Duration::from_secs(1), writes(bench)).await.is_err() {
            self.signal("-CONT");
            return None;
        }
        Some(self.gone(from))
    }

    /// SIGCONT. What it held before is nobody's until the lease is over.
    pub fn thaw(&self, absence: &mut Absence) {
        absence.until = now() + i64::try_from(SHORT_LEASE.as_millis()).unwrap() + 2_000;
        self.signal("-CONT");
    }

    fn gone(&self, from: i64) -> Absence {
        Absence { pid: self.pid(), from, until: i64::MAX }
    }

    fn signal(&self, signal: &str) {
        // It may have died by itself meanwhile.
        let _ = Command::new("kill").args([signal, &self.pid().to_string()]).stderr(Stdio::null()).status().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn writes(bench: &Bench) {
    tx::begin(&bench.db).await.unwrap().rollback().await.unwrap();
}

/// Processes of which as many run as are wanted: who died is followed by another.
pub struct Fleet {
    pub processes: Vec<Process>,
    /// Asked to stop, and not yet over.
    leaving: Vec<Process>,
    /// Stopped, and when to go on.
    frozen: Option<(Process, Absence, i64)>,
    pub absences: Vec<Absence>,
    pub deaths: Deaths,
}

/// How many died of what.
#[derive(Clone, Debug, Default)]
pub struct Deaths {
    pub kills: usize,
    pub frozen: usize,
    pub asked: usize,
    pub aborted: usize,
}

impl Fleet {
    pub fn start(all: impl IntoIterator<Item = Orders>) -> Self {
        let processes = all.into_iter().map(|orders| Process::start(&orders)).collect();
        Self { processes, leaving: Vec::new(), frozen: None, absences: Vec::new(), deaths: Deaths::default() }
    }

    pub fn kill(&mut self, which: usize) -> Absence {
        let follower = Process::start(&self.processes[which].orders);
        let absence = std::mem::replace(&mut self.processes[which], follower).kill();
        self.absences.push(absence);
        self.deaths.kills += 1;
        absence
    }

    pub fn ask_to_stop(&mut self, which: usize) {
        let follower = Process::start(&self.processes[which].orders);
        let leaver = std::mem::replace(&mut self.processes[which], follower);
        self.absences.push(leaver.ask_to_stop());
        self.leaving.push(leaver);
        self.deaths.asked += 1;
    }

    /// One at a time, until its leases are long over.
    pub async fn freeze(&mut self, bench: &Bench, which: usize) {
        if self.frozen.is_some() {
            return;
        }
        let Some(absence) = self.processes[which].freeze(bench).await else { return };
        let follower = Process::start(&self.processes[which].orders);
        let process = std::mem::replace(&mut self.processes[which], follower);
        let until = absence.from + i64::try_from(SHORT_LEASE.as_millis()).unwrap() + 1_500;
        self.frozen = Some((process, absence, until));
        self.absences.push(absence);
        self.deaths.frozen += 1;
    }

    /// Follows who died by itself, and lets go on who was stopped for long enough.
    pub fn look_after(&mut self) {
        for process in &mut self.processes {
            if process.is_over() {
                // When exactly is not known, but less than one look ago; a lease is longer.
                self.absences.push(process.gone(now() - 1_000));
                *process = Process::start(&process.orders);
                self.deaths.aborted += 1;
            }
        }
        self.leaving.retain_mut(|process| !process.is_over());
        if let Some((process, mut absence, _)) = self.frozen.take_if(|(_, _, until)| *until <= now()) {
            process.thaw(&mut absence);
            self.absences.retain(|other| other.pid != absence.pid);
            self.absences.push(absence);
            self.processes.push(process); // one more from now on
        }
    }

    /// Looks after it until `settled`; `false` when that takes too long.
    pub async fn until(&mut self, settled: impl AsyncFn() -> bool, patience: Duration) -> bool {
        let end = now() + i64::try_from(patience.as_millis()).unwrap();
        while !settled().await {
            if now() > end {
                return false;
            }
            self.look_after();
            sleep(Duration::from_millis(50)).await;
        }
        true
    }

    /// Everybody stops in good order.
    pub async fn dismiss(mut self) -> (Vec<Absence>, Deaths) {
        if let Some((process, mut absence, _)) = self.frozen.take() {
            process.thaw(&mut absence);
            self.processes.push(process);
        }
        for process in &self.processes {
            self.absences.push(process.ask_to_stop());
        }
        let mut all: Vec<_> = self.processes.into_iter().chain(self.leaving).collect();
        let end = now() + 30_000;
        while all.iter_mut().any(|process| !process.is_over()) && now() < end {
            sleep(Duration::from_millis(20)).await;
        }
        (self.absences, self.deaths)
    }
}

/// Waits until a process holds a job.
pub async fn busy(bench: &Bench, process: &Process) {
    let ask =
        format!("SELECT COUNT(*) AS n FROM jobs WHERE state = 'running' AND lease_owner LIKE '%:{}:%'", process.pid());
    until(async || bench.number(&ask).await > 0).await;
}
