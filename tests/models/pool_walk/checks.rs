//! What is compared after every step.

use std::fmt::Write;

use chrono::{TimeDelta, Utc};
use nproxy::models::{provider_keys, runs};

use super::{
    Walk,
    model::{Ending, Story},
};

const NOTES_KEPT: usize = 36;

impl Walk {
    pub(super) fn is_right(&self, stories: &[Story], calls: &[(usize, String, String)], run: &runs::Model) {
        let mut expected: Vec<_> = stories.iter().flat_map(|story| story.calls.clone()).collect();
        let mut found: Vec<_> =
            calls.iter().map(|(key, via, outcome)| (*key, via.as_str(), outcome.as_str())).collect();
        if stories.len() > 1 {
            expected.sort_unstable();
            found.sort_unstable();
        }
        assert_eq!(found, expected, "the calls{}", self.told());
        let delivered = stories.iter().filter(|story| story.ending == Ending::Delivered).count();
        assert_eq!(run.outputs_delivered, delivered as i64, "{}", self.told());
        match &run.failure {
            None => assert!(delivered > 0, "{}", self.told()),
            Some(reason) => {
                let fits = stories.iter().any(|story| matches!(story.ending, Ending::Failed(why) if why == reason));
                assert!(delivered == 0 && fits, "{stories:?}{}", self.told());
            }
        }
    }

    /// 9: of two keys that are both there, neither has two turns before the other has one.
    pub(super) fn is_fair(&mut self, stories: &[Story], eligible: &[bool]) {
        let size = eligible.len();
        for (a, b) in (0..size).flat_map(|a| (0..size).map(move |b| (a, b))) {
            if !(eligible[a] && eligible[b]) {
                self.shares[a][b] = 0;
            }
        }
        let turns: Vec<usize> = stories.iter().flat_map(|story| story.turns.clone()).collect();
        // Of an output that was asked for a sign of life first, a key may have several turns: others are done with it.
        if (0..size).any(|a| turns.iter().filter(|turn| **turn == a).count() > 1) {
            self.shares = vec![vec![0; size]; size];
            return;
        }
        for a in &turns {
            for b in (0..size).filter(|b| b != a && eligible[*b] && eligible[*a]) {
                self.shares[*a][b] += 1;
                let ahead = self.shares[*a][b] - self.shares[b][*a];
                assert!(ahead <= 1, "k{} is {ahead} calls ahead of k{}{}", a + 1, b + 1, self.told());
            }
        }
        for (a, b) in (0..size).flat_map(|a| (0..size).map(move |b| (a, b))) {
            if !(self.pool.is_eligible(a) && self.pool.is_eligible(b)) {
                self.shares[a][b] = 0;
            }
        }
    }

    /// In which order the places of a batch came to their keys is theirs to decide.
    pub(super) async fn order_again(&mut self) {
        let mut rows: Vec<_> = provider_keys::list(&self.app.ctx.db).await.unwrap();
        rows.sort_by_key(|key| (key.turn, key.id));
        let used: Vec<_> = self.pool.keys.iter().map(|key| key.turn).collect();
        let mut turns = used;
        turns.sort_unstable();
        for (row, turn) in rows.iter().zip(turns) {
            self.pool.keys[usize::try_from(row.id - 1).unwrap()].turn = turn;
        }
    }

    pub(super) async fn compare(&mut self, when: &str) {
        let now = Utc::now();
        let rows = provider_keys::list(&self.app.ctx.db).await.unwrap();
        for (row, at) in rows.iter().zip(0..) {
            let key = &self.pool.keys[at];
            let found = (row.state.as_str(), row.consecutive_failures, row.ramp, row.epoch, row.incident_id.is_some());
            let expected = (key.state, key.strikes, key.ramp, key.epoch, key.in_incident);
            assert_eq!(found, expected, "k{} {when} (state, strikes, ramp, epoch, incident){}", at + 1, self.told());
            assert_eq!(row.cooldown_until.is_some(), key.until.is_some(), "k{} {when}{}", at + 1, self.told());
            if let (Some(found), Some((from, to))) = (row.cooldown_until, key.until) {
                let late = now - self.pool.now + TimeDelta::seconds(1);
                let fits = (from - TimeDelta::microseconds(1)..=to + late).contains(&found);
                assert!(fits, "k{} rests until {found}, not {from} to {to} {when}{}", at + 1, self.told());
                self.pool.keys[at].until = Some((found, found));
                if self.pool.keys[at].state != "cooldown" {
                    panic!("a rest without its state{}", self.told());
                }
            }
            if let (Some(way), Some(proxy)) = (&self.pool.keys[at].proxy, row.proxy_id) {
                let sql = format!("SELECT consecutive_failures FROM proxies WHERE id = {proxy}");
                let (found, expected) = (self.app.count(&sql).await, way.faults);
                assert_eq!(found, expected, "faults of the proxy of k{} {when}{}", at + 1, self.told());
            }
        }
        let order = |turns: Vec<(i128, usize)>| {
            let mut turns = turns;
            turns.sort_unstable();
            turns.into_iter().map(|(_, at)| at + 1).collect::<Vec<_>>()
        };
        let found = order(rows.iter().zip(0..).map(|(row, at)| (i128::from(row.turn), at)).collect());
        let expected = order(self.pool.keys.iter().zip(0..).map(|(key, at)| (i128::from(key.turn), at)).collect());
        assert_eq!(found, expected, "the order of turns {when}{}", self.told());
        let open = self.app.count("SELECT COUNT(*) FROM incidents WHERE closed_at IS NULL").await;
        assert_eq!(open == 1, self.pool.incident.is_some(), "an incident is open {when}{}", self.told());
        self.met.reviews +=
            usize::from(rows.iter().any(|key| key.consecutive_failures > 10 && key.state == "manual_review"));
    }

    pub(super) async fn posted(&self) -> i64 {
        self.app.count("SELECT CAST(SUM(posted) AS BIGINT) FROM allowances").await
    }

    pub(super) fn note(&mut self, what: String) {
        if self.history.len() == NOTES_KEPT {
            self.history.pop_front();
        }
        self.history.push_back(what);
    }

    pub(super) fn told(&self) -> String {
        let mut told = format!("\nPOOL_SEED={}, the last steps:", self.seed);
        for line in &self.history {
            write!(told, "\n  {line}").unwrap();
        }
        told
    }
}
