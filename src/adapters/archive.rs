//! A backup as a file: a packed archive, sealed with age for whoever holds the identity. Written front to back and read
//! front to back; nothing of it is ever in the clear on the disk but what somebody asked to restore.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::Path,
    str::FromStr,
};

use age::x25519;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use secrecy::ExposeSecret;

/// Who can open a backup: the public half of an age key, `age1…`; several, separated by commas.
#[derive(Clone, Debug, Default)]
pub struct Recipients(Vec<String>);

impl FromStr for Recipients {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all: Vec<_> = text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect();
        match all.iter().find(|one| x25519::Recipient::from_str(one).is_err()) {
            Some(wrong) => Err(format!("{wrong:?} is no recipient of age (age1…)")),
            None => Ok(Self(all)),
        }
    }
}

impl Recipients {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A new pair: the identity as its file holds it, and the recipient.
#[must_use]
pub fn new_identity() -> (secrecy::SecretString, String) {
    let identity = x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let file = format!("# public key: {recipient}\n{}\n", identity.to_string().expose_secret());
    (file.into(), recipient)
}

/// An archive that is being written.
pub struct Writer(tar::Builder<GzEncoder<age::stream::StreamWriter<BufWriter<File>>>>);

impl Writer {
    /// # Errors
    /// The file is there already, or cannot be made.
    pub fn create(path: &Path, recipients: &Recipients) -> io::Result<Self> {
        let recipients: Result<Vec<_>, _> = recipients.0.iter().map(|one| x25519::Recipient::from_str(one)).collect();
        let recipients = recipients.map_err(io::Error::other)?;
        let recipients = recipients.iter().map(|one| one as &dyn age::Recipient);
        let sealing = age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let file = BufWriter::new(File::create_new(path)?);
        // Pictures are packed already; the database is not, and this is fast.
        Ok(Self(tar::Builder::new(GzEncoder::new(sealing.wrap_output(file)?, Compression::fast()))))
    }

    /// # Errors
    /// The disk does not take it.
    pub fn add(&mut self, name: &str, length: u64, content: impl Read) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o600);
        self.0.append_data(&mut header, name, content)
    }

    /// The whole archive is on the disk when this answers; how many bytes it has.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn finish(self) -> io::Result<u64> {
        let file = self.0.into_inner()?.finish()?.finish()?.into_inner().map_err(io::Error::other)?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }
}

/// Reads an archive, entry after entry, in the order in which it was written.
///
/// # Errors
/// None of the identities opens it, it was changed or cut, or what `take` answers.
pub fn read(
    path: &Path,
    identities: &Path,
    mut take: impl FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let identities = age::IdentityFile::from_file(identities.display().to_string())?;
    let identities = identities.into_identities().map_err(io::Error::other)?;
    let sealed = age::Decryptor::new(BufReader::new(File::open(path)?)).map_err(io::Error::other)?;
    let open = sealed.decrypt(identities.iter().map(|one| &**one)).map_err(io::Error::other)?;
    let mut archive = tar::Archive::new(GzDecoder::new(open));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.display().to_string();
        take(&name, &mut entry)?;
    }
    // What follows the last entry is read too, through both layers: a file that was cut is noticed.
    let mut packed = archive.into_inner();
    io::copy(&mut packed, &mut io::sink())?;
    io::copy(&mut packed.into_inner(), &mut io::sink()).map(drop)
}

/// Writes to a file, and to the disk beneath it.
///
/// # Errors
/// The disk does not take it.
pub fn keep(path: &Path, content: &mut dyn Read) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    io::copy(content, &mut file)?;
    file.flush()?;
    file.sync_all()
}
