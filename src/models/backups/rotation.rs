//! Which backups are kept: the newest of each of the last days and of each of the last weeks that have one.

use std::{collections::BTreeSet, path::PathBuf};

use chrono::Datelike;
use loco_rs::Result;
use tokio::fs;

use super::Backup;

/// How many days and weeks back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keep {
    pub daily: usize,
    pub weekly: usize,
}

/// Those to let go. `backups` are newest first; the newest always stays.
fn superfluous(backups: &[Backup], keep: Keep) -> Vec<&Backup> {
    let (mut days, mut weeks) = (BTreeSet::new(), BTreeSet::new());
    let mut is_kept = |backup: &Backup| {
        let day = backup.taken_at.date_naive();
        let newest_of_day = days.len() < keep.daily && days.insert(day);
        let week = day.iso_week();
        let newest_of_week = weeks.len() < keep.weekly && weeks.insert((week.year(), week.week()));
        newest_of_day || newest_of_week
    };
    backups.iter().enumerate().filter(|(n, backup)| !is_kept(backup) && *n > 0).map(|(_, backup)| backup).collect()
}

/// Removes what is kept no longer; what it removed.
pub(super) async fn rotate(backups: &[Backup], keep: Keep) -> Result<Vec<PathBuf>> {
    let mut gone = Vec::new();
    for backup in superfluous(backups, keep) {
        fs::remove_file(&backup.path).await?;
        gone.push(backup.path.clone());
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone, Utc};

    use super::*;

    fn backup(hours_ago: i64) -> Backup {
        // A Sunday, shortly before midnight.
        let taken_at = Utc.with_ymd_and_hms(2026, 11, 29, 23, 0, 0).unwrap() - TimeDelta::hours(hours_ago);
        Backup { path: PathBuf::from(hours_ago.to_string()), taken_at, bytes: 1 }
    }

    #[test]
    fn days_and_weeks_are_kept() {
        // Twice a day for eight weeks.
        let backups: Vec<_> = (0..112).map(|n| backup(12 * n)).collect();
        let gone = superfluous(&backups, Keep { daily: 7, weekly: 4 });
        let gone: BTreeSet<_> = gone.iter().map(|backup| backup.path.clone()).collect();
        let kept: Vec<_> = backups
            .iter()
            .filter(|backup| !gone.contains(&backup.path))
            .map(|b| b.path.display().to_string())
            .collect();
        // The last seven days; the last backup of the three weeks before.
        assert_eq!(kept, ["0", "24", "48", "72", "96", "120", "144", "168", "336", "504"]);
    }

    #[test]
    fn a_pause_empties_nothing() {
        let backups = [backup(5000), backup(5012), backup(9000)];
        let keep = Keep { daily: 7, weekly: 4 };
        assert_eq!(superfluous(&backups, keep), [&backups[1]]);
        assert_eq!(superfluous(&backups, Keep { daily: 0, weekly: 0 }), [&backups[1], &backups[2]], "the newest stays");
    }
}
