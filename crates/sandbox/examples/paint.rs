//! Paints prompts into files: `cargo run -p sandbox --example paint -- OUT_DIR WIDTH HEIGHT PROMPT…`.
//!
//! A prompt that begins with `@FILE ` changes that picture instead.
#![allow(clippy::print_stdout, reason = "a command line program")]

use std::{fs, path::PathBuf, time::Instant};

use sandbox::paint::{Format, Order, paint};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(out), Some(width), Some(height)) = (words.next(), words.next(), words.next()) else {
        return Err("usage: paint OUT_DIR WIDTH HEIGHT PROMPT…".into());
    };
    let out = PathBuf::from(out);
    fs::create_dir_all(&out)?;
    for (n, words) in words.enumerate() {
        let (inputs, prompt) = match words.strip_prefix('@').and_then(|rest| rest.split_once(' ')) {
            Some((file, prompt)) => (vec![fs::read(file)?.into()], prompt.to_owned()),
            None => (Vec::new(), words),
        };
        // `prompt #3` is the fourth picture of the same prompt.
        let (prompt, variation) = match prompt.rsplit_once(" #") {
            Some((prompt, count)) => (prompt.to_owned(), count.parse()?),
            None => (prompt, 0),
        };
        let order = Order {
            prompt,
            variation,
            width: width.parse()?,
            height: height.parse()?,
            inputs,
            format: Format::Jpeg,
            sketch: false,
        };
        let start = Instant::now();
        let picture = paint(&order)?;
        let file = out.join(format!("{n:02}.jpg"));
        println!("{} {:?} {} bytes: {}", file.display(), start.elapsed(), picture.bytes.len(), order.prompt);
        fs::write(file, picture.bytes)?;
    }
    Ok(())
}
