//! The disk beneath a folder: how much room is left.

use std::{io, path::Path};

/// Bytes that may still be written in this folder, and how many there are in all.
///
/// # Errors
/// There is no such folder, or it cannot be asked.
pub fn room(folder: &Path) -> io::Result<(u64, u64)> {
    let stat = rustix::fs::statvfs(folder)?;
    Ok((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
}
